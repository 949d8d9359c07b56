"""A store with two entries over two seeds, from predictions at random, and the report's board of it."""

from dataclasses import replace
from pathlib import Path

from records import part, plain_record, scored_run

from tonegap.data.index import images_digest
from tonegap.data.locate import locate_images
from tonegap.data.metadata import read_metadata
from tonegap.declared.dataset import read_dataset
from tonegap.declared.report_settings import read_settings
from tonegap.formats.matrix import Matrix
from tonegap.formats.record import DataId, EntryId
from tonegap.formats.truth import TaskTruth
from tonegap.results.assemble import assemble
from tonegap.results.board import Leaderboard
from tonegap.store.layout import INDEX
from tonegap.store.read import read_suites
from tonegap.store.source import ResultSource
from tonegap.store.store import Store

ROOT = Path(__file__).parents[2]
BASELINES = ("erm", "mixup")
TRUTH = TaskTruth(part("v", 24), part("t", 80))  # 20 test images of each tone and class


def fill_two_entries(folder: Path, truth: TaskTruth = TRUTH, **changes: object) -> ResultSource:
    """`none` with each of the baselines, on the task `d/t`; where a report finds them. `changes` are of all records."""
    store, cells = Store(folder), []
    for number, baseline in enumerate(BASELINES):
        for seed in (0, 1):
            record = plain_record(
                entry=EntryId("none", baseline, "cnn4"),
                seed=seed,
                baseline_parameters={"backbone": "cnn4", "epochs": 3},
                **changes,
            )
            key = f"{10 * number + seed:064x}"
            cells.append(scored_run(store, record, truth, key, 10 * number + seed))
    store.write_matrix(Matrix("tiny", "A tiny suite", tuple(cells)))
    return ResultSource(ROOT, folder, read_suites(folder))


def fill_with_photographs(folder: Path) -> ResultSource:
    """The same on photographs that are in the project; which class and tone each has is made up."""
    dataset = read_dataset(ROOT, "pad-ufes-20-sample")
    metadata = read_metadata(dataset, dataset.folder)
    test = replace(TRUTH.test, ids=metadata.ids[: len(TRUTH.test.ids)])
    located = locate_images(dataset, metadata, dataset.folder)
    images = images_digest(dataset, metadata, located, folder / INDEX, workers=1)
    data = DataId(dataset.id, metadata.sha256, images, stand_in=False, drawn=False)
    return fill_two_entries(folder, TaskTruth(TRUTH.validation, test), data=data)


def board_of(source: ResultSource) -> Leaderboard:
    """The board of a store."""
    return assemble(source.store, source.suites, read_settings(source.root))
