"""A suite's report is written again when anything that it shows changed, and only then."""

import pytest
from two_entries import fill_two_entries

from tonegap.report.suite_report import _digest
from tonegap.store.repeats import repeats_path


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A suite root with the files that a report reads, a store, and the declared runs."""
    folder = tmp_path_factory.mktemp("made")
    root = folder / "root"
    (root / "reports").mkdir(parents=True)
    (root / "reports" / "leaderboard.toml").write_text("title = 'a'")
    source = fill_two_entries(folder / "store")
    return root, source.store, source.suites[0].matrix


def changed(made, path):
    """Whether a file that is written anew, or for the first time, changes what the report is made from."""
    before, there = _digest(*made), path.read_bytes() if path.is_file() else None
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((there or b"") + b" ")
    after = _digest(*made)
    path.write_bytes(there) if there is not None else path.unlink()
    assert _digest(*made) == before
    return after != before


@pytest.mark.parametrize(
    "path",
    [
        *("reports/leaderboard.toml", "benchmarks/other/dataset.toml", "benchmarks/d/tasks/t.toml"),
        *("benchmarks/suites/tiny.toml", "methods/none/method.toml", "methods/quota.toml"),
        "parity/erm.toml",
    ],
)
def test_a_file_of_the_suite_root_that_pages_show_makes_another_report(made, path):
    assert changed(made, made[0] / path)


def test_what_a_run_left_makes_another_report(made):
    _root, store, matrix = made
    key = matrix.runs[0].key
    assert changed(made, store / "records" / f"{key}.json")
    assert changed(made, store / "failures" / f"{key}.json")
    assert changed(made, repeats_path(store, key))


def test_what_the_report_does_not_read_makes_no_other(made):
    assert not changed(made, made[0] / "docs" / "notes.md")
