"""Tiny data sets of a user's own, with headers that no real one has."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tonegap.data.metadata import Metadata, read_metadata
from tonegap.declared.dataset import Dataset, read_dataset, read_dataset_folder

PROJECT = Path(__file__).parents[2]

DATASET_TOML = """\
title = "Clinic photographs"
source = "a clinic"
licence = "ask the clinic"
access = "walk in"
metadata = ["rows.csv"]
id_column = "picture no"
label_column = "what"
file_names = ["{picture no}.png", "{picture no}.jpg", "{other name}"]

[columns]
"picture no" = {}
what = {}
skin = { names = ["old skin"] }
"second skin" = { optional = true }
"other name" = { optional = true }
bad.cells = { yes = ["y", "1"], no = ["n", "0"] }

[[schemas]]
name = "new"
headers = ["skin"]

[[schemas]]
name = "old"
headers = ["old skin"]

[tones.nurse]
column = "skin"
unknown = ["?"]

[tones.machine]
column = "second skin"

[malignant]
column = "bad"
values = ["yes"]
"""

ROWS = (
    "picture no,what,skin,bad",
    "a1,wart,1,no",
    "a2,wart,6,no",
    "a3,melanoma,1,yes",
    "a4,melanoma,?,yes",
)


@pytest.fixture(scope="session")
def project() -> Path:
    return PROJECT


@pytest.fixture(scope="session")
def real_csv() -> Path:
    """The real metadata of Fitzpatrick17k, which is not part of the project."""
    shared = Path(os.environ.get("TONEGAP_DATA", PROJECT.parent / "shared" / "data"))
    path = shared / "fitzpatrick17k" / "fitzpatrick17k.csv"
    if not path.is_file():
        pytest.skip("no fitzpatrick17k.csv; name its folder's parent with TONEGAP_DATA")
    return path


@pytest.fixture
def clinic(tmp_path: Path) -> Dataset:
    """A user's data set: declaration, four rows, no image."""
    folder = tmp_path / "clinic"
    folder.mkdir()
    (folder / "dataset.toml").write_text(DATASET_TOML)
    write_rows(folder, ROWS)
    return read_dataset_folder(folder)


@pytest.fixture
def read_rows(clinic: Dataset) -> Callable[..., Metadata]:
    """Reads the lines given as the clinic's metadata."""

    def read(*lines: str, end: str = "\n", encoding: str = "utf-8") -> Metadata:
        content = "".join(line + end for line in lines).encode(encoding)
        (clinic.folder / "rows.csv").write_bytes(content)
        return read_metadata(clinic, clinic.folder)

    return read


@pytest.fixture(scope="session")
def ddi() -> Dataset:
    return read_dataset(PROJECT, "ddi")


@pytest.fixture(scope="session")
def fitzpatrick17k() -> Dataset:
    return read_dataset(PROJECT, "fitzpatrick17k")


@pytest.fixture(scope="session")
def phantom() -> Dataset:
    return read_dataset(PROJECT, "phantom")


@pytest.fixture(scope="session")
def picture() -> Callable[..., Image.Image]:
    """Makes a smooth picture that differs from that of any other number."""
    return _picture


@pytest.fixture(scope="session")
def write_pictures() -> Callable[..., None]:
    """Writes pictures 1, 2, … (or those of a mapping) into a folder under the names given."""
    return _write_pictures


@pytest.fixture(scope="session")
def ddi_rows() -> Callable[..., list[str]]:
    """Makes a metadata file with DDI's layout and published counts; nothing in it is from DDI."""
    return _ddi_rows


def write_rows(folder: Path, lines: Sequence[str], name: str = "rows.csv") -> None:
    (folder / name).write_text("".join(line + "\n" for line in lines))


def _picture(number: int, size: tuple[int, int] = (64, 48)) -> Image.Image:
    rng = np.random.default_rng(number)
    coarse = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)


def _write_pictures(folder: Path, names: Mapping[str, int] | Sequence[str]) -> None:
    numbered = names if isinstance(names, Mapping) else {n: i for i, n in enumerate(names, 1)}
    for name, number in numbered.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _picture(number).save(path)


DDI_TONES = {"12": (208, 49), "34": (241, 74), "56": (207, 48)}  # images, malignant ones


def _ddi_rows(malignant: str = "malignant", derived: bool = False) -> list[str]:
    yes, no = ("True", "False") if malignant == "malignant" else ("1", "0")
    more = ",high,fitzpatrick" if derived else ""
    lines = [f",DDI_ID,DDI_file,skin_tone,{malignant},disease{more}"]
    n = 0
    for tone, (images, bad) in DDI_TONES.items():
        for i in range(images):
            flag = yes if i < bad else no
            more = f",{int(flag == yes)},1" if derived else ""
            lines.append(f"{n},{n + 1},{n + 1:06d}.png,{tone},{flag},disease {n % 78}{more}")
            n += 1
    return lines
