"""A store with one finished cell and one that failed, made as a run makes them."""

import msgspec
import pytest
from records import part, plain_record, scored_run

from tonegap.formats.matrix import Failure, Matrix, RunId
from tonegap.formats.record import EntryId, Record, encode_record
from tonegap.formats.truth import TaskTruth
from tonegap.store.store import Store

KEY = "ab" + "0" * 62


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "runs")
    truth = TaskTruth(part("v", 20), part("t", 60))
    done = scored_run(store, plain_record(), truth, KEY)
    failed = RunId(EntryId("none", "mixup", "cnn4"), "d/t", 0, "2" * 64, control=False)
    store.write_matrix(Matrix("tiny", "A tiny suite", (done, failed)))
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
    path = store.record_path(KEY)
    record = msgspec.structs.replace(msgspec.json.decode(path.read_bytes(), type=Record), **changes)
    store.write_record(KEY, encode_record(record))
    return record
