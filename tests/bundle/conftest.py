"""A store with one finished cell and one that failed, made as a run makes them."""

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tonegap.files import sha256_file, sha256_lines
from tonegap.run.matrix import CellId, Failure, Matrix
from tonegap.run.record import (
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
from tonegap.run.results import Rules, results_of
from tonegap.run.store import Store
from tonegap.run.truth import PartTruth, Truth, encode_truth

CLASSES = ("benign", "malignant")
TONES = ("I-II", "V-VI")
KEY = "ab" + "0" * 62
RULES = Rules(CLASSES, ("malignant",), TONES, 1, "accuracy")


def part(prefix, n):
    return PartTruth(
        ids=tuple(f"{prefix}{i}" for i in range(n)),
        labels=tuple(CLASSES[i % 2] for i in range(n)),
        tones=tuple(TONES[i // 2 % 2] for i in range(n)),
        units=tuple(range(n)),
    )


def write_predictions(path, truth):
    rng = np.random.default_rng(0)
    rows = [(epoch, image_id) for epoch in (1, 2, 3) for image_id in truth.ids]
    p = rng.random(len(rows))
    columns = {
        "epoch": [epoch for epoch, _ in rows],
        "image_id": [image_id for _, image_id in rows],
        "p_benign": 1 - p,
        "p_malignant": p,
    }
    path.parent.mkdir(parents=True)
    pq.write_table(pa.table(columns), path)


def partition(rows):
    return PartitionId(len(rows.ids), {}, sha256_lines(sorted(rows.ids)))


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "runs")
    truth = Truth(part("v", 20), part("t", 60))
    predictions = store.stage_folder(KEY) / "predictions.parquet"
    write_predictions(predictions, truth)
    results = results_of(predictions, truth, RULES)
    record = Record(
        schema="tonegap/record@1",
        entry=EntryId("none", "erm", "cnn4"),
        control=False,
        method_parameters={},
        baseline_parameters={},
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
        data=DataId("d", "a" * 64, "b" * 64, stand_in=False, drawn=True),
        partitions={
            "train": PartitionId(1, {}, "c" * 64),
            "validation": partition(truth.validation),
            "test": partition(truth.test),
        },
        synthetic=None,
        leaks=Leaks(0, 0, {}),
        stages=(StageId("train", "baselines/erm", KEY, "e" * 64),),
        predictions_sha256=sha256_file(predictions),
        scores=results.scores,
        curve=results.curve,
        circumstances=Circumstances("", {}, {}, (), Isolation("local", True, "off", "", {})),
        truth_sha256=store.keep_truth(encode_truth(truth)),
    )
    done = CellId(record.entry, "d/t", 0, "1" * 64, control=False)
    failed = CellId(EntryId("none", "mixup", "cnn4"), "d/t", 0, "2" * 64, control=False)
    store.write_matrix(Matrix("tiny", "A tiny suite", (done, failed)))
    store.write_record(done.key, encode_record(record))
    store.write_failure(Failure(failed.key, "train", "baselines/mixup", "timeout", "1 s", "2025"))
    return store


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "root"
    (folder / "benchmarks/d/tasks").mkdir(parents=True)
    (folder / "pyproject.toml").write_text("[tool.tonegap]\n")
    (folder / "benchmarks/d/tasks/t.toml").write_text("title = 'T'\n")
    return folder


def change_record(store, **changes):
    path = store.record_path("1" * 64)
    record = msgspec.structs.replace(msgspec.json.decode(path.read_bytes(), type=Record), **changes)
    path.write_bytes(encode_record(record))
    return record
