"""Golden records: equal, differing, missing and new entries, and what may not be compared."""

import json

import pytest

from tonegap import numerics
from tonegap.numerics import can_be_portable

pytestmark = pytest.mark.skipif(not can_be_portable(), reason="this processor has no AVX2 and FMA")


@pytest.fixture
def run(rooms, tonegap, tmp_path):
    rooms.drawn()
    rooms.baseline("other")
    entries = [{"methods": ["none"], "baselines": ["plain", "other"]}]
    rooms.suite(numerics="portable", entries=entries)

    def run(*words):
        place = ("--suite-root", rooms.root, "--store", tmp_path / "store")
        return tonegap("run", "tiny", "--jobs", 1, *place, *words)

    return run


@pytest.fixture
def golden(run, rooms, tonegap):
    """The file of golden records, written by a run."""
    assert run("--write-golden") == 0, tonegap.err
    return rooms.root / "reports" / "golden" / "tiny.json"


def test_the_run_that_wrote_golden_records_equals_them(run, golden, tonegap):
    written = golden.read_bytes()
    assert run("--check-golden") == 0
    assert "all 2 records equal the golden ones" in tonegap.err
    assert run("--write-golden") == 0
    assert golden.read_bytes() == written


def changed(golden, change):
    document = json.loads(golden.read_bytes())
    change(document)
    golden.write_text(json.dumps(document))


def test_other_predictions_are_named(run, golden, tonegap):
    def change(document):
        document["cells"][1]["predictions_sha256"] = "0" * 64

    changed(golden, change)
    assert run("--check-golden") == 1
    assert "not golden: none + other on sixty/two, seed 0: other predictions" in tonegap.err
    assert "none + plain" not in tonegap.err
    assert "1 of 2 golden records differ" in tonegap.err


def test_another_score_is_named_with_both_values(run, golden, tonegap):
    def change(document):
        scores = document["cells"][0]["scores"]
        scores["validation: accuracy, gap"] = 0.125

    changed(golden, change)
    assert run("--check-golden") == 1
    assert "none + plain on sixty/two, seed 0: validation: accuracy, gap is " in tonegap.err
    assert "instead of 0.125" in tonegap.err


def test_a_missing_and_a_new_record_differ(run, golden, tonegap):
    def change(document):
        document["cells"][1]["seed"] = 7

    changed(golden, change)
    assert run("--check-golden") == 1
    assert "seed 7: has no record" in tonegap.err
    assert "none + other on sixty/two, seed 0: is not among the golden records" in tonegap.err


def test_other_versions_of_libraries_are_said(run, golden, tonegap):
    def change(document):
        document["versions"]["python"] = "2.7"
        document["cells"][0]["predictions_sha256"] = "0" * 64

    changed(golden, change)
    assert run("--check-golden") == 1
    assert "other versions may be why: python 2.7 there and " in tonegap.err


@pytest.mark.parametrize(
    "words", [("--set", "baselines.x=1"), ("--subset", "5"), ("--numerics", "native")]
)
def test_a_changed_suite_has_no_golden_records(run, golden, tonegap, words):
    assert run("--check-golden", *words) == 2
    assert "golden records are those of a suite as its file has it" in tonegap.err


def test_without_golden_records_nothing_runs(run, tonegap, tmp_path):
    assert run("--check-golden") == 2
    assert "no golden records of this suite" in tonegap.err
    assert list((tmp_path / "store" / "records").iterdir()) == []


def test_a_native_suite_has_none(run, rooms, tonegap):
    rooms.suite(numerics="native")
    assert run("--write-golden") == 2
    assert "wanted portable numerics" in tonegap.err


def test_a_processor_that_cannot_be_portable_is_told_so(run, golden, tonegap, monkeypatch):
    monkeypatch.setattr(numerics, "_flags", lambda: frozenset({"sse2"}))
    assert run() == 0
    assert "numerics are native here" in tonegap.err
    assert run("--check-golden") == 2
    assert "wanted portable numerics" in tonegap.err


@pytest.mark.parametrize(
    "content", ["{}", "no json", '{"schema": "x", "suite": "s", "versions": {}, "cells": []}']
)
def test_a_damaged_file_is_one_sentence(run, golden, tonegap, content):
    golden.write_text(content)
    assert run("--check-golden") == 2
    assert str(golden) in tonegap.err
    assert "Traceback" not in tonegap.err
