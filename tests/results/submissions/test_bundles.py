"""Bundles made elsewhere: ranked if they verify, and only as long as nobody touches them."""

import json
import zipfile
from dataclasses import replace

import msgspec
import pytest
from records import part, plain_record
from tests.results.bundle.test_bundle import rewritten

from tonegap.formats.record import Record, encode_record
from tonegap.formats.truth import TaskTruth


def rows(tonegap):
    code, text = tonegap("report", "--format", "json")
    assert not code, text
    (table,) = json.loads(text)["tables"]
    return {row["label"]: row for row in table["rows"]}


def test_a_bundle_that_verifies_is_ranked_and_marked(tonegap, send_bundle, truth):
    code, text = tonegap("submit", "add", send_bundle(truth, theirs=7))
    assert not code, text
    name = text.split()[-1]
    found = rows(tonegap)
    row = found[f"none + theirs (cnn4, submitted {name})"]
    assert "submitted bundle" in row["marks"]
    assert sorted(r["rank"] for r in found.values()) == [1, 2, 3]


def test_the_reference_of_a_bundle_without_one_is_the_store_s(tonegap, send_bundle, truth):
    tonegap("submit", "add", send_bundle(truth, theirs=7))
    (row,) = [r for label, r in rows(tonegap).items() if "theirs" in label]
    changes = [s["change_from_reference"] for s in row["scores"] if s["metric"] == "accuracy"]
    assert all(change["worst"]["mean"] is not None for change in changes)


def test_results_that_are_the_store_s_own_appear_once(tonegap, send_bundle, truth):
    tonegap("submit", "add", send_bundle(truth, erm=1, theirs=7))
    assert sorted(label.split(" (")[0] for label in rows(tonegap)) == [
        "none + erm",
        "none + mixup",
        "none + theirs",
    ]


def test_a_bundle_of_nothing_new_is_told_so(tonegap, send_bundle, truth):
    code, text = tonegap("submit", "add", send_bundle(truth, erm=1))
    assert code
    assert "it is confirmed, and there is nothing to add" in text


def test_a_result_of_the_store_under_another_name_is_not_confirmed(tonegap, send_bundle, truth):
    code, text = tonegap("submit", "add", send_bundle(truth, theirs=1))
    assert code
    assert (
        "what it calls none + theirs (cnn4) has the predictions of none + erm (cnn4) in runs"
        in text
    )
    assert "confirmed" not in text


def changed_score(bundle):
    """The bundle with one score written by hand, under a manifest that fits."""
    with zipfile.ZipFile(bundle) as archive:
        (name,) = [n for n in archive.namelist() if n.startswith("records/")]
        record = msgspec.json.decode(archive.read(name), type=Record)
    table = record.scores["validation"].tables["groups"]
    values = (0.99, *table.value[1:])
    tables = {"groups": msgspec.structs.replace(table, value=values)}
    selected = msgspec.structs.replace(record.scores["validation"], tables=tables)
    record = msgspec.structs.replace(record, scores={**record.scores, "validation": selected})
    return rewritten(bundle, {name: encode_record(record)}, honest_manifest=True)


def test_a_bundle_with_a_score_of_its_own_is_refused_and_its_cell_named(
    tonegap, send_bundle, truth, store
):
    code, text = tonegap("submit", "add", changed_score(send_bundle(truth, theirs=7)))
    assert code == 1
    assert "none + theirs (cnn4), d/t, seed 0: validation: " in text
    assert ": refused, " in text
    assert not (store / "submissions").exists()
    assert len(rows(tonegap)) == 2


def test_a_bundle_scored_against_swapped_tones_is_refused(tonegap, send_bundle):
    other = {"I-II": "V-VI", "V-VI": "I-II"}
    test = part("t", 60)
    swapped = replace(test, tones=tuple(other[t] for t in test.tones))
    code, text = tonegap("submit", "add", send_bundle(TaskTruth(part("v", 20), swapped), theirs=7))
    assert code == 1
    assert "none + theirs (cnn4), d/t, seed 0: scored against the truth " in text


def test_a_bundle_that_asks_an_easier_question_is_refused(tonegap, send_bundle, truth, monkeypatch):
    monkeypatch.setattr("records.plain_record", lambda **c: plain_record(**c, min_support=30))
    code, text = tonegap("submit", "add", send_bundle(truth, theirs=7))
    assert code == 1
    assert "answers another question: min_support is 30, here 1" in text


@pytest.mark.parametrize("name", ["records", "stages"])
def test_a_bundle_touched_after_it_was_checked_loses_its_rank(
    tonegap, send_bundle, truth, store, name
):
    tonegap("submit", "add", send_bundle(truth, theirs=7))
    path = next(p for p in (store / "submissions").rglob(f"*/{name}/**/*") if p.is_file())
    path.write_bytes(path.read_bytes() + b" ")
    found = rows(tonegap)
    (row,) = [r for label, r in found.items() if "theirs" in label]
    assert row["rank"] is None
    assert row["unranked"] == "1 of 1 seeds missing (1 changed)"
    assert sorted(r["rank"] or 0 for r in found.values()) == [0, 1, 2]


def test_a_bundle_whose_cells_name_files_outside_of_it_is_refused(tonegap, send_bundle, truth):
    bundle = send_bundle(truth, theirs=7)
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    old, new = f"{7:064x}", f"../records/{7:064x}"
    matrix = files["suites/elsewhere.json"].replace(old.encode(), new.encode())
    changed = rewritten(bundle, {"suites/elsewhere.json": matrix}, honest_manifest=True)
    code, text = tonegap("submit", "add", changed)
    assert code == 1
    assert f"'{new}' is no key of a run or stage" in text
