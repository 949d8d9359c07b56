"""Metadata to split: the real Fitzpatrick17k where it is at hand, and small ones drawn here."""

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tonegap.data.metadata import Metadata, read_metadata
from tonegap.declared.dataset import read_dataset
from tonegap.declared.task import Task, read_task

PROJECT = Path(__file__).parents[2]

TASK = """\
title = "A task"
about = "For a test."

[labels]
column = "label"
classes = ["a", "b"]
positive = ["b"]

[tones]
axis = "tone"
scored = ["I", "VI"]

[split]
rule = "value-holdout"
seeds = [0, 1]
column = "half"
train = ["pool"]
test = ["probe"]

[validation]
rule = "carve"
fraction = 0.25
strata = []
"""


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


@pytest.fixture(scope="session")
def fitzpatrick17k_root() -> Path:
    """The folder of the real metadata, which is not part of the project."""
    shared = Path(os.environ.get("TONEGAP_DATA", PROJECT.parent / "shared" / "data"))
    if not (shared / "fitzpatrick17k" / "fitzpatrick17k.csv").is_file():
        pytest.skip("no fitzpatrick17k.csv; name its folder's parent with TONEGAP_DATA")
    return shared / "fitzpatrick17k"


@pytest.fixture(scope="session")
def fitzpatrick17k(fitzpatrick17k_root: Path) -> Metadata:
    return read_metadata(read_dataset(PROJECT, "fitzpatrick17k"), fitzpatrick17k_root)


@pytest.fixture(scope="session")
def ddi_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A metadata file of DDI's layout and counts; which image has which tone is made up."""
    root = tmp_path_factory.mktemp("ddi")
    tones = ["12", "34", "56"]
    left = {"12": [49, 159], "34": [74, 167], "56": [48, 159]}
    with (root / "ddi_metadata.csv").open("w", newline="", encoding="utf-8") as f:
        rows = csv.writer(f)
        rows.writerow(("", "DDI_ID", "DDI_file", "skin_tone", "malignant", "disease"))
        for i in range(656):
            tone = next(t for t in tones[i % 3 :] + tones[: i % 3] if sum(left[t]))
            benign = (i % 4 != 0 or not left[tone][0]) and left[tone][1] > 0
            left[tone][benign] -= 1
            rows.writerow((i, i + 1, f"{i + 1:06d}.png", tone, str(not benign), "wart"))
    return root


@pytest.fixture(scope="session")
def ddi(ddi_root: Path) -> Metadata:
    return read_metadata(read_dataset(PROJECT, "ddi"), ddi_root)


def _small(
    ids: Sequence[str],
    labels: Sequence[str],
    tones: Sequence[str | None],
    **columns: Sequence[str],
) -> Metadata:
    cells = {"label": tuple(labels), **{name: tuple(c) for name, c in columns.items()}}
    return Metadata(
        Path("small.csv"), "", "small", tuple(ids), cells, {"tone": tuple(tones)}, False
    )


@pytest.fixture(scope="session")
def small() -> Callable[..., Metadata]:
    """A maker of metadata: ids, labels, tones, and any other columns by name."""
    return _small


@pytest.fixture
def write_task(tmp_path: Path) -> Callable[..., Task]:
    """A maker of `mine/task` in a suite root of its own; (old, new) pairs change the TOML above."""

    def write(*changes: tuple[str, str]) -> Task:
        text = TASK
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        folder = tmp_path / "benchmarks" / "mine" / "tasks"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "task.toml").write_bytes(text.encode())
        (tmp_path / "pyproject.toml").write_text("[tool.tonegap]\n")
        return read_task(tmp_path, "mine/task")

    return write


@pytest.fixture(scope="session")
def eight() -> Metadata:
    """Eight images: p0 to p3 in the pool, q0 to q3 in the probe, a and b and I and VI in turn."""
    return _small(
        ids=[f"{half}{i}" for half in "pq" for i in range(4)],
        labels=["a", "b"] * 4,
        tones=["I", "I", "VI", "VI"] * 2,
        half=["pool"] * 4 + ["probe"] * 4,
    )
