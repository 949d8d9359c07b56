"""Damaged files of a finished store: what is reported is what it was, or the damage is named; a run makes it good.

`python benchmarks_of_code/bench_damage.py 200` does the same with every kind of file and of damage at random.
"""

import random

import pytest
from damages import Bench, Outcome

CASES = (
    ("predictions", "empty"),
    ("packs", "flip"),
    ("records", "digit"),
    ("generated images", "swap"),
    ("truth/first", "truncate"),
    ("checkpoints", "digit"),
    ("failures", "delete"),
    ("records", "delete"),
)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    bench = Bench(tmp_path_factory.mktemp("bench"))
    yield bench
    bench.close()


@pytest.mark.parametrize(("kind", "how"), CASES)
def test_a_damaged_file_changes_no_number_and_the_next_run_makes_it_good(bench, kind, how):
    seen = Outcome()
    bench.trial(kind, how, random.Random(1), seen)
    assert seen.faults == []
    assert seen.counts["no such file"] == 0
    assert sum(seen.counts.values()) == 3  # a report, a bundle, a run


def test_an_edited_score_is_named_by_report_and_bundle(bench):
    seen = Outcome()
    bench.trial("records", "digit", random.Random(2), seen)
    assert (seen.counts["report: named"], seen.counts["bundle: named"]) == (1, 1)
    assert seen.counts["run: complete after 1"] == 1
