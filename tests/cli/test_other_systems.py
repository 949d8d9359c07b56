"""score, split, verify and report start where Linux's own modules, functions and signals are not there."""

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from records import part, plain_record, scored_run

from tonegap.formats.matrix import Matrix
from tonegap.formats.truth import TaskTruth
from tonegap.results.bundle.pack import pack_suite
from tonegap.store.store import Store

PROJECT = Path(__file__).parents[2]
SCRIPT = PROJECT / "tests/support/other_system.py"


def elsewhere(*words, code=0):
    """Standard output of `tonegap` on another system; its exit code is looked at."""
    argv = [sys.executable, str(SCRIPT), "tonegap", *map(str, words)]
    ran = subprocess.run(argv, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ran.returncode == code, ran.stderr
    return ran


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    """A bundle of one record."""
    folder = tmp_path_factory.mktemp("bundle")
    store = Store(folder / "runs")
    done = scored_run(store, plain_record(), TaskTruth(part("v", 20), part("t", 60)), "ab" * 32)
    store.write_matrix(Matrix("tiny", "A tiny suite", (done,)))
    root = folder / "root"
    (root / "benchmarks/d/tasks").mkdir(parents=True)
    (root / "pyproject.toml").write_text("[tool.tonegap]\n")
    (root / "benchmarks/d/tasks/t.toml").write_text("title = 'T'\n")
    pack_suite(root, store.folder, "tiny", folder / "tiny.tonegap.zip")
    shutil.rmtree(root / "benchmarks")  # its task is a name alone, which a reviewer does not have
    shutil.copytree(PROJECT / "reports", root / "reports")
    return folder / "tiny.tonegap.zip"


def test_predictions_are_scored(tmp_path):
    (tmp_path / "p.csv").write_text("image_id,p_no,p_yes\na,0.2,0.8\nb,0.7,0.3\nc,0.9,0.1\n")
    (tmp_path / "t.csv").write_text("image_id,label,tone\na,yes,1\nb,yes,6\nc,no,6\n")
    said = elsewhere("score", tmp_path / "p.csv", "--truth", tmp_path / "t.csv").stdout
    (row,) = [line.split() for line in said.splitlines() if line.startswith("accuracy")]
    assert row == ["accuracy", "1.000", "0.500", "0.667", "0.500", "0.500"]


def test_a_task_is_split_as_its_pin_says():
    rows = list(csv.reader(elsewhere("split", "phantom/smoke").stdout.splitlines()))
    assert rows[0] == ["image_id", "partition"]
    assert sum(row[1] == "train" for row in rows) == 1275


def test_a_bundle_is_verified_and_its_pages_are_written(bundle, tmp_path):
    said = elsewhere("verify", bundle).stdout
    assert said.startswith("complete: all 1 declared records are here\n")
    root = bundle.parent / "root"
    elsewhere("report", bundle, "--out", tmp_path / "pages", "--suite-root", root)
    assert "A tiny suite" in (tmp_path / "pages/index.html").read_text(encoding="utf-8")


def test_what_runs_stages_says_where_that_can_be_done(tmp_path):
    said = elsewhere("run", "--store", tmp_path / "runs", code=2).stderr
    assert said == (
        "error: this command needs Linux or macOS, on Windows WSL; "
        "score, split, verify and report work on this system\n"
    )
