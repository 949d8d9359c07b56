"""Records of a store as cells; what is damaged is named, not skipped."""

import msgspec
import pytest

from tonegap.errors import BadRequest, StoreError
from tonegap.formats.matrix import Failure, Matrix, RunId
from tonegap.formats.record import encode_record
from tonegap.store.read import merge_suites, read_suites

TONES = {"I": 0.9, "VI": 0.5}


class Shelf:
    """A store as the engine leaves it."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("suites", "records", "failures"):
            (folder / name).mkdir(parents=True)

    def suite(self, name, *cells):
        matrix = Matrix(name, f"Suite {name}", cells)
        (self.folder / "suites" / f"{name}.json").write_bytes(msgspec.json.encode(matrix))

    def keep(self, record, key):
        (self.folder / "records" / f"{key}.json").write_bytes(encode_record(record))
        return RunId(record.entry, record.task, record.seed, key, record.control)

    def fail(self, record, key, cause):
        failure = Failure(key, "train", "baselines/erm", cause, "exit code 1", "2025")
        (self.folder / "failures" / f"{key}.json").write_bytes(msgspec.json.encode(failure))
        return RunId(record.entry, record.task, record.seed, key, record.control)


@pytest.fixture
def shelf(tmp_path):
    return Shelf(tmp_path / "runs")


def test_cells_carry_their_record_failure_or_nothing(shelf, make_record, entry):
    done, failed, never = (make_record(entry("none+erm"), seed, TONES) for seed in range(3))
    ids = shelf.keep(done, "k0"), shelf.fail(failed, "k1", "timeout")
    shelf.suite("smoke", *ids, RunId(never.entry, never.task, 2, "k2", False))
    (run,) = read_suites(shelf.folder)
    assert run.runs[0].record == done
    assert run.runs[1].failure.cause == "timeout"
    assert (run.runs[2].record, run.runs[2].failure) == (None, None)


def test_an_unknown_suite_is_refused_with_those_there_are(shelf):
    shelf.suite("smoke")
    shelf.suite("full")
    with pytest.raises(
        BadRequest,
        match=r"no suite 'smok' has run here .did you mean 'smoke'..; there are: full, smoke",
    ):
        read_suites(shelf.folder, ["smok"])


def test_a_store_without_runs_says_what_to_do(tmp_path):
    with pytest.raises(BadRequest, match="run `tonegap run` first"):
        read_suites(tmp_path / "nowhere")


@pytest.mark.parametrize("content", [b"", b'{"schema": "tonegap/rec', b"\xff\xfe", b"[]"])
def test_a_damaged_record_is_named(shelf, make_record, entry, content):
    shelf.suite("smoke", shelf.keep(make_record(entry("none+erm"), 0, TONES), "k0"))
    (shelf.folder / "records" / "k0.json").write_bytes(content)
    with pytest.raises(StoreError, match=r"records/k0\.json: damaged"):
        read_suites(shelf.folder)


def test_a_record_of_another_cell_is_refused(shelf, make_record, entry):
    own = shelf.keep(make_record(entry("none+erm"), 1, TONES), "k0")
    shelf.suite("smoke", msgspec.structs.replace(own, seed=0))
    with pytest.raises(StoreError, match=r"is the record of none \+ erm .* seed 1, not of"):
        read_suites(shelf.folder)


def test_a_record_of_another_schema_is_refused(shelf, make_record, entry):
    record = msgspec.structs.replace(
        make_record(entry("none+erm"), 0, TONES), schema="tonegap/record@0"
    )
    shelf.suite("smoke", shelf.keep(record, "k0"))
    with pytest.raises(StoreError, match="wanted 'tonegap/record@1'"):
        read_suites(shelf.folder)


def test_a_cell_shared_by_two_suites_is_one_cell(shelf, make_record, entry):
    shared = shelf.keep(make_record(entry("none+erm"), 0, TONES), "k0")
    shelf.suite("full", shared)
    shelf.suite("smoke", shared)
    (cell,) = merge_suites(read_suites(shelf.folder))
    assert cell.id == shared


def test_two_suites_that_ask_differently_keep_their_rows_apart(shelf, make_record, entry):
    record = make_record(entry("none+erm"), 0, TONES)
    shelf.suite("full", shelf.keep(record, "k0"))
    shelf.suite("smoke", shelf.keep(record, "k1"))
    cells = merge_suites(read_suites(shelf.folder))
    assert [c.id.entry.variant for c in cells] == ["suite full", "suite smoke"]
