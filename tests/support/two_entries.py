"""A store with two entries over two seeds, from predictions at random, and the report's board of it."""

from dataclasses import replace
from pathlib import Path

from records import part, plain_record, scored_run

from tonegap.formats.matrix import Matrix
from tonegap.formats.record import EntryId
from tonegap.formats.truth import TaskTruth
from tonegap.results.assemble import assemble
from tonegap.results.board import Leaderboard
from tonegap.results.settings import read_settings
from tonegap.store.read import read_suites
from tonegap.store.source import ResultSource
from tonegap.store.store import Store

ROOT = Path(__file__).parents[2]
BASELINES = ("erm", "mixup")
TRUTH = TaskTruth(part("v", 24), part("t", 80))  # 20 test images of each tone and class


def fill_two_entries(folder: Path) -> ResultSource:
    """`none` with each of the baselines, on the task `d/t`; where a report finds them."""
    store, cells = Store(folder), []
    for number, baseline in enumerate(BASELINES):
        for seed in (0, 1):
            record = plain_record(
                entry=EntryId("none", baseline, "cnn4"),
                seed=seed,
                baseline_parameters={"backbone": "cnn4", "epochs": 3},
            )
            key = f"{10 * number + seed:064x}"
            cells.append(scored_run(store, record, TRUTH, key, 10 * number + seed))
    store.write_matrix(Matrix("tiny", "A tiny suite", tuple(cells)))
    return ResultSource(ROOT, folder, read_suites(folder))


def board_of(source: ResultSource) -> Leaderboard:
    """The board of a store as a folder of pages."""
    board = assemble(source.store, source.suites, read_settings(source.root))
    return replace(board, site=True)
