"""Records and scored stores made by hand, for every test that needs one."""

from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from tonegap.declared.plugin import fill_parameters, plugin_ids, read_plugin
from tonegap.files import digest_of, sha256_file, sha256_lines
from tonegap.formats.job import Parameter
from tonegap.formats.matrix import Matrix, RunId
from tonegap.formats.record import (
    SCHEMA,
    Circumstances,
    DataId,
    EntryId,
    Isolation,
    Leaks,
    PartitionId,
    Record,
    StageId,
    encode_record,
)
from tonegap.formats.truth import PartTruth, TaskTruth, encode_truth, truth_place
from tonegap.scores.results import Rules, results_of, rules_of
from tonegap.store.store import StageMark, Store

ROOT = Path(__file__).parents[2]
CLASSES = ("benign", "malignant")
TONES = ("I-II", "V-VI")
RULES = Rules(CLASSES, ("malignant",), TONES, 1, "accuracy")
_PART = PartitionId(n=0, n_by_tone={}, sha256="c" * 64)


def plain_record(**changes: object) -> Record:
    """A record of `none + erm (cnn4)` on the task `d/t` without any score; `changes` replaces fields."""
    record = Record(
        schema=SCHEMA,
        entry=EntryId("none", "erm", "cnn4"),
        control=False,
        method_parameters={},
        baseline_parameters={"backbone": "cnn4"},
        task="d/t",
        seed=0,
        classes=CLASSES,
        positive=("malignant",),
        tones=TONES,
        primary_metric="accuracy",
        selection_metric="accuracy",
        published_selection="validation",
        min_support=1,
        tone_at_test=False,
        data=DataId("d", "a" * 64, "b" * 64, stand_in=False, drawn=False),
        partitions=dict.fromkeys(("train", "validation", "test"), _PART),
        synthetic=None,
        leaks=Leaks(0, 0, {}),
        stages=(),
        predictions_sha256="e" * 64,
        scores={},
        curve=(),
        circumstances=Circumstances("", {}, {}, (), Isolation("local", True, "off", "", {})),
    )
    return msgspec.structs.replace(record, **changes)


def part(prefix: str, n: int, tones: tuple[str, ...] = TONES) -> PartTruth:
    """Images `PREFIX0`, …: classes in turn, two images of each tone in turn."""
    return PartTruth(
        ids=tuple(f"{prefix}{i}" for i in range(n)),
        labels=tuple(CLASSES[i % 2] for i in range(n)),
        tones=tuple(tones[i // 2 % len(tones)] for i in range(n)),
        units=tuple(range(n)),
    )


def write_predictions(path: Path, truth: TaskTruth, seed: int = 0, epochs: int = 3) -> None:
    """Predictions of every image of a truth at random."""
    rng = np.random.default_rng(seed)
    rows = [(epoch + 1, image_id) for epoch in range(epochs) for image_id in truth.ids]
    p = rng.random(len(rows))
    columns = {
        "epoch": [epoch for epoch, _ in rows],
        "image_id": [image_id for _, image_id in rows],
        "p_benign": 1 - p,
        "p_malignant": p,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), path)


def train_mark(record: Record, number: int) -> StageMark:
    """The mark of the stage that trained for a record; its key follows from what it says, `number` included."""
    plugin, environment = f"baselines/{record.entry.baseline}", "e" * 64
    ingredients = {
        "plug-in": f"{number:064x}",
        "environment": environment,
        "task": record.task,
        "seed": str(record.seed),
        "device": "cpu",
        "threads": "1",
        **{f"parameters.{n}": repr(v) for n, v in record.baseline_parameters.items()},
    }
    key = digest_of([f"{plugin} train", ingredients])
    isolation = record.circumstances.isolation
    return StageMark(key, "train", plugin, ingredients, environment, {}, 1.0, None, None, isolation)


def scored_run(
    store: Store, record: Record, truth: TaskTruth, key: str, predictions_seed: int = 0
) -> RunId:
    """A cell of a store with predictions at random, scored as a run scores them; `record` says the rest."""
    mark = train_mark(record, predictions_seed)
    folder = store.stage_folder(mark.key)
    path = folder / "predictions.parquet"
    write_predictions(path, truth, predictions_seed)
    (folder / "stage.json").write_bytes(msgspec.json.encode(mark))
    results = results_of(path, truth, rules_of(record))
    record = msgspec.structs.replace(
        record,
        partitions={
            "train": _PART,
            "validation": _partition(truth.validation),
            "test": _partition(truth.test),
        },
        stages=(StageId("train", mark.plugin, mark.key, mark.environment),),
        predictions_sha256=sha256_file(path),
        scores=results.scores,
        curve=results.curve,
        truth_sha256=store.keep_truth(encode_truth(truth)),
        cross_fit=results.cross_fit,
    )
    store.remember_truth(truth_place(record.task, record.seed, record.data), record.truth_sha256)
    cell = RunId(record.entry, record.task, record.seed, key, record.control)
    store.write_record(key, encode_record(record))
    return cell


def _partition(rows: PartTruth) -> PartitionId:
    by_tone = Counter(tone or "unknown" for tone in rows.tones)
    return PartitionId(len(rows.ids), dict(by_tone), sha256_lines(sorted(rows.ids)))


def _parameters(baseline: str) -> dict[str, Parameter]:
    """The parameters of a baseline of this suite, by their defaults; of another its backbone alone."""
    own: dict[str, Parameter] = {"backbone": "cnn4"}
    if baseline not in plugin_ids(ROOT, "baseline"):
        return own
    return fill_parameters(read_plugin(ROOT, "baseline", baseline), own, "parameters")


def scored_store(
    folder: Path, truth: TaskTruth, entries: dict[str, int], suite: str = "tiny"
) -> Store:
    """A store in which a suite ran: baselines by name, each with predictions drawn from its number."""
    store = Store(folder)
    cells = [
        scored_run(
            store,
            plain_record(
                entry=EntryId("none", baseline, "cnn4"), baseline_parameters=_parameters(baseline)
            ),
            truth,
            f"{number:064x}",
            number,
        )
        for baseline, number in entries.items()
    ]
    store.write_matrix(Matrix(suite, f"A {suite} suite", tuple(cells)))
    return store
