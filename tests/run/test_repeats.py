"""`tonegap repeat`: runs of the same work, and how far they spread."""

import json
import shutil
from pathlib import Path

import pytest

from tonegap.errors import StoreError
from tonegap.formats.repeats import SCHEMA, Repeats
from tonegap.report.phrases import spread_words
from tonegap.scores.repeats import standard_deviation
from tonegap.store.repeats import read_repeats

# As on a GPU: the same job, other bytes.
RESTLESS_PY = """\
import csv, os, sys
from pathlib import Path

given, out = Path(sys.argv[3]), Path(sys.argv[5])
rows = [r for n in ("validation", "test") for r in csv.DictReader((given / f"{n}.csv").open())]
with (out / "predictions.csv").open("w") as f:
    table = csv.writer(f, lineterminator="\\n")
    table.writerow(["epoch", "image_id", "p_basal cell carcinoma", "p_folliculitis"])
    for row in rows:
        p = os.urandom(1)[0] / 255
        table.writerow([1, row["image_id"], p, 1 - p])
"""


@pytest.fixture
def repeat(rooms, tonegap, tmp_path):
    rooms.drawn()
    rooms.baseline("restless", RESTLESS_PY)
    rooms.suite(entries=[{"methods": ["none"], "baselines": ["plain", "restless"]}])
    place = ("--suite-root", rooms.root, "--store", tmp_path / "store")

    def repeat(command, *words):
        jobs = () if command == "report" else ("--jobs", 1)
        return tonegap(command, *words, *jobs, *place)

    assert repeat("run", "tiny") == 0
    return repeat


def seeds(repeat, tonegap):
    assert repeat("report", "tiny", "--format", "json") == 0
    (table,) = json.loads(tonegap.out)["tables"]
    return {row["entry"]["baseline"]: row["seeds"][0] for row in table["rows"]}


def test_equal_bytes_are_said(repeat, tonegap):
    assert repeat("repeat", "none + plain", "tiny", "-n", "3") == 0, tonegap.err
    assert "none + plain on sixty/two, seed 0:" in tonegap.out
    assert "validation: accuracy, all: 0: identical bytes in 3 runs" in tonegap.out
    found = seeds(repeat, tonegap)
    assert found["plain"]["repeats"]["identical"] is True
    assert found["plain"]["repeats"]["spread"]["validation: accuracy, all"] == 0
    assert found["restless"]["repeats"] is None


def test_unequal_bytes_are_measured_and_reported(repeat, tonegap):
    assert repeat("repeat", "none + restless", "tiny", "-n", "4") == 0, tonegap.err
    assert "identical" not in tonegap.out
    assert "points (standard deviation of 4 runs)" in tonegap.out
    found = seeds(repeat, tonegap)["restless"]["repeats"]
    assert (found["n"], found["identical"]) == (4, False)
    values = found["scores"]["validation: accuracy, all"]
    mean = sum(values) / 4
    assert found["spread"]["validation: accuracy, all"] == pytest.approx(
        (sum((v - mean) ** 2 for v in values) / 3) ** 0.5
    )


def test_the_suites_own_records_stay(repeat, tonegap, tmp_path):
    own = seeds(repeat, tonegap)["plain"]
    assert repeat("repeat", "none + plain", "tiny", "-n", "2") == 0
    again = seeds(repeat, tonegap)["plain"]
    assert again["key"] == own["key"]
    assert again["evidence"] == own["evidence"]
    assert repeat("run", "tiny") == 0
    assert "0 stages run" in tonegap.err


def test_an_unknown_entry_is_named_with_those_there_are(repeat, tonegap):
    assert repeat("repeat", "none + plane", "tiny") == 2
    assert "no entry 'none + plane' in the suite tiny; there are: 'none + plain'" in tonegap.err


def test_the_page_of_an_entry_tells_of_its_runs(repeat, tonegap, tmp_path):
    assert repeat("repeat", "none + plain", "tiny", "-n", "2") == 0
    assert repeat("report", "tiny", "--entry", "none + plain") == 0, tonegap.err
    pages = list((tmp_path / "store" / "report").rglob("*plain*.html"))
    assert any("identical bytes in 2 runs" in p.read_text(encoding="utf-8") for p in pages)


def test_a_later_run_shows_the_repeats_and_the_certificates_that_came_meanwhile(
    repeat, rooms, tonegap, tmp_path
):
    """The stages ran already: the report has to be written again all the same."""
    page = tmp_path / "store" / "report" / "tiny" / "leaderboard.json"
    assert '"identical"' not in page.read_text()
    assert repeat("repeat", "none + plain", "tiny", "-n", "2") == 0
    assert repeat("run", "tiny") == 0, tonegap.err
    assert '"identical":true' in page.read_text()
    before = page.stat().st_mtime_ns
    assert repeat("run", "tiny") == 0
    assert page.stat().st_mtime_ns == before
    (rooms.root / "parity").mkdir(exist_ok=True)
    shutil.copy(Path(__file__).parents[2] / "parity/bmft.toml", rooms.root / "parity/plain.toml")
    assert repeat("run", "tiny") == 0, tonegap.err
    assert page.stat().st_mtime_ns > before


def repeats(*values, digests=("a", "b")):
    return Repeats(SCHEMA, "k", digests, {"accuracy": values})


def test_the_spread_is_the_standard_deviation_of_runs():
    """0.5 and 0.7: mean 0.6, squares 0.01 + 0.01, over one: 0.02, its root 0.1414."""
    assert standard_deviation((0.5, 0.7)) == pytest.approx(0.141421356)
    assert (
        spread_words(repeats(0.5, 0.7), "accuracy") == "14.1 points (standard deviation of 2 runs)"
    )
    assert (
        spread_words(repeats(0.5, 0.5), "accuracy") == "0.0 points (standard deviation of 2 runs)"
    )


@pytest.mark.parametrize("values", [(0.5, None), (None, None), (0.5,), ()])
def test_what_is_undefined_in_a_run_has_no_spread(values):
    assert standard_deviation(values) is None


def test_undefined_is_said_and_not_zero():
    assert spread_words(repeats(0.5, None), "accuracy") == "undefined in one of 2 runs"


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"\xff",
        b'{"schema":"tonegap/repeats@1","key":"other","predictions_sha256":["a","b"],"scores":{}}',
    ],
)
def test_a_damaged_file_is_named(tmp_path, content):
    (tmp_path / "repeats").mkdir()
    (tmp_path / "repeats" / "k.json").write_bytes(content)
    with pytest.raises(StoreError, match="remove it and repeat again"):
        read_repeats(tmp_path, "k")
