"""Two tones exchanged on purpose, at each place where that can happen: the page is stamped."""

import json
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from records import part, plain_record, scored_run

from tonegap.cli.main import cli
from tonegap.formats.matrix import Matrix
from tonegap.formats.record import DataId, EntryId, Record, encode_record
from tonegap.formats.truth import TaskTruth
from tonegap.store.layout import FIRST_TRUTHS
from tonegap.store.seals import write_seal
from tonegap.store.store import Store

ROOT = Path(__file__).parents[2]
TYPES = ("I", "III", "VI")
EXCHANGED = {"III": "VI", "VI": "III"}


@pytest.fixture
def truth():
    return TaskTruth(part("v", 24, TYPES), part("t", 60, TYPES))


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "runs")


def swapped(truth):
    def turned(rows):
        return replace(rows, tones=tuple(EXCHANGED.get(t, t) for t in rows.tones))

    return TaskTruth(turned(truth.validation), turned(truth.test))


def run(store, suite, baseline, truth, number):
    """A suite of one entry that ran in a store against that truth."""
    record = plain_record(entry=EntryId("none", baseline, "cnn4"), tones=TYPES)
    cell = scored_run(store, record, truth, f"{number:064x}", number)
    store.write_matrix(Matrix(suite, f"Suite {suite}", (cell,)))
    return store.record_path(cell.key)


def report(store, *words):
    where = ["--store", str(store.folder), "--suite-root", str(ROOT)]
    return CliRunner().invoke(cli, ["report", *words, *where], catch_exceptions=False)


def stamps(store, *suites):
    return json.loads(report(store, *suites, "--format", "json").stdout)


def test_one_truth_for_all_gives_no_stamp(store, truth):
    run(store, "one", "erm", truth, 1)
    run(store, "two", "mixup", truth, 2)
    found = stamps(store)
    assert found["truth_alarms"] == []
    assert "ALARM" not in found["title"]
    assert report(store, "--strict", "--format", "md").exit_code == 0


def test_tones_exchanged_in_the_data_since_the_first_run_stamp_the_page(store, truth):
    run(store, "one", "erm", truth, 1)
    run(store, "one", "erm", swapped(truth), 2)  # the suite again, on changed metadata
    (alarm,) = stamps(store)["truth_alarms"]
    # 20 of 60 test and 8 of 24 validation images have each of the two tones.
    assert alarm.startswith(
        "d/t, seed 0, as none + erm (cnn4) was scored: tones III and VI are exchanged "
        "(56 have another tone than at first)"
    )


def test_the_stamp_stands_first_in_every_format_and_strict_fails(store, truth, tmp_path):
    run(store, "one", "erm", truth, 1)
    run(store, "one", "erm", swapped(truth), 2)
    result = report(store, "--strict", "--out", str(tmp_path / "page.html"))
    assert result.exit_code == 1
    assert result.stderr.startswith("truth alarm: d/t, seed 0")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "<title>TRUTH ALARM – Suite one</title>" in page
    assert '<p class="alarm"><strong>TRUTH ALARM:</strong> d/t, seed 0' in page
    assert report(store, "--format", "md").stdout.startswith("# TRUTH ALARM – Suite one\n")
    assert "TRUTH ALARM" in report(store, "--format", "tex").stdout


def test_two_entries_scored_on_different_tones_stamp_the_page(store, truth):
    run(store, "one", "erm", truth, 1)
    run(store, "two", "mixup", swapped(truth), 2)
    for path in (store.folder / FIRST_TRUTHS).iterdir():
        path.unlink()  # a store from before it remembered
    (alarm,) = stamps(store)["truth_alarms"]
    assert "as none + mixup (cnn4) was scored: tones III and VI are exchanged" in alarm


def test_scores_written_under_each_other_s_tone_stamp_the_page(store, truth):
    path = run(store, "one", "erm", truth, 1)
    record = msgspec.json.decode(path.read_bytes(), type=Record)
    of_types = record.scores["validation"].tables["types"]
    tones = tuple(EXCHANGED.get(t, t) for t in of_types.tone)
    tables = {
        **record.scores["validation"].tables,
        "types": msgspec.structs.replace(of_types, tone=tones),
    }
    selected = msgspec.structs.replace(record.scores["validation"], tables=tables)
    scores = {**record.scores, "validation": selected}
    path.write_bytes(encode_record(msgspec.structs.replace(record, scores=scores)))
    write_seal(store.folder, f"records/{path.name}")
    found = stamps(store)
    assert found["title"].startswith("TRUTH ALARM")
    assert "has the scores of tones III and VI exchanged" in report(store, "--format", "md").stdout


def test_one_corrected_tone_names_its_image(store, truth):
    run(store, "one", "erm", truth, 1)
    tones = ("VI", *truth.test.tones[1:])
    run(store, "one", "erm", TaskTruth(truth.validation, replace(truth.test, tones=tones)), 2)
    (alarm,) = stamps(store)["truth_alarms"]
    assert "1 have another tone than at first (t0: I, now VI, …)" in alarm


def test_one_corrected_label_names_its_image(store, truth):
    run(store, "one", "erm", truth, 1)
    labels = ("malignant", *truth.test.labels[1:])
    run(store, "one", "erm", TaskTruth(truth.validation, replace(truth.test, labels=labels)), 2)
    (alarm,) = stamps(store)["truth_alarms"]
    assert "1 have another label than at first (t0: benign, now malignant, …)" in alarm


def test_what_was_corrected_on_purpose_can_be_said_so(store, truth):
    run(store, "one", "erm", truth, 1)
    run(store, "one", "erm", swapped(truth), 2)
    (alarm,) = stamps(store)["truth_alarms"]
    name = alarm.split("remove ")[1].rstrip(")")
    (store.folder / name).unlink()
    assert stamps(store)["truth_alarms"] == []


def test_images_that_came_or_went_are_no_other_truth(store, truth):
    run(store, "one", "erm", truth, 1)
    run(store, "one", "erm", TaskTruth(truth.validation, part("t", 40, TYPES)), 2)
    assert stamps(store)["truth_alarms"] == []


def test_the_images_of_another_drawing_are_others(store, truth):
    for number, (drawing, scored_on) in enumerate((("a", truth), ("b", swapped(truth)))):
        data = DataId("d", "m" * 64, drawing * 64, stand_in=False, drawn=True)
        record = plain_record(tones=TYPES, data=data)
        cell = scored_run(store, record, scored_on, f"{number:064x}", number)
        store.write_matrix(Matrix("one", "Suite one", (cell,)))
    assert stamps(store)["truth_alarms"] == []
