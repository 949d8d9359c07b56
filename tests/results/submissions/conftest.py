"""A store in which two entries ran, and what others might send it."""

import csv
from pathlib import Path

import pytest
from click.testing import CliRunner
from records import part, scored_store

from tonegap.cli.main import cli
from tonegap.formats.truth import TaskTruth
from tonegap.results.bundle.pack import pack_suite

ROOT = Path(__file__).parents[3]
CARD = """method = "none"
baseline = "theirs"
backbone = "cnn4"
authors = "A. Author"
contact = "a@example.org"
paper = "https://example.org/paper"
task = "d/t"
selection = "validation"
split = "tonegap split d/t --seed 0"
test_labels_used = false
test_tones_used = false

[[predictions]]
seed = 0
file = "seed-0.csv"
"""


@pytest.fixture
def truth():
    return TaskTruth(part("v", 20), part("t", 60))


@pytest.fixture
def store(tmp_path, truth):
    return scored_store(tmp_path / "runs", truth, {"erm": 1, "mixup": 6}).folder


@pytest.fixture
def tonegap(store):
    """The command line on that store: exit code and all that it says."""

    def call(*words):
        where = ["--store", str(store), "--suite-root", str(ROOT)]
        result = CliRunner().invoke(cli, [*map(str, words), *where])
        error = "" if isinstance(result.exception, SystemExit) else str(result.exception or "")
        return result.exit_code, result.output + error

    return call


def write_csv(path, truth, right, ids=None):
    """Predictions of the test images, right for the first `right` of each tone."""
    seen = {}
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("image_id", "p_benign", "p_malignant"))
        for image_id, label, tone in zip(
            truth.test.ids, truth.test.labels, truth.test.tones, strict=True
        ):
            seen[tone] = seen.get(tone, 0) + 1
            is_right = seen[tone] <= right[tone]
            p = 0.9 if (label == "malignant") == is_right else 0.1
            if ids is None or image_id in ids:
                rows.writerow((image_id, round(1 - p, 1), p))


@pytest.fixture
def send(tmp_path, truth):
    """A folder with a card and predictions; `card` replaces words of it."""

    def make(right=None, ids=None, **card):
        folder = tmp_path / "theirs"
        folder.mkdir(exist_ok=True)
        text = CARD
        for old, new in card.items():
            line = next(x for x in CARD.splitlines() if x.startswith(f"{old} ="))
            text = text.replace(line, f"{old} = {new}" if new else "")
        (folder / "card.toml").write_text(text)
        write_csv(folder / "seed-0.csv", truth, right or {"I-II": 27, "V-VI": 24}, ids)
        return folder

    return make


@pytest.fixture
def send_bundle(tmp_path):
    """The bundle of a suite that ran elsewhere, with entries drawn from these numbers."""

    def make(truth, **entries):
        there = scored_store(tmp_path / "elsewhere", truth, entries, suite="elsewhere")
        path = tmp_path / "theirs.tonegap.zip"
        pack_suite(ROOT, there.folder, "elsewhere", path)
        return path

    return make
