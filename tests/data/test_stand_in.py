"""Drawn images for somebody's metadata."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tonegap.data.metadata import parse_metadata, read_metadata
from tonegap.data.phantom.draw import Sitter, draw
from tonegap.data.stand_in import draw_stand_ins, recognise_dataset
from tonegap.declared.dataset import Dataset
from tonegap.errors import BadData, BadRequest
from tonegap.files import folder_digest, sha256_file

F17K = "md5hash,{tone},label,nine_partition_label,three_partition_label,qc,url,url_alphanum"
F17K_ROW = "{i:032x},{tone},psoriasis,inflammatory,non-neoplastic,,http://x/{i},httpx{i}.jpg"


def f17k(path: Path, header: str, rows: list[str], index: bool = False) -> Path:
    lines = [header, *rows]
    if index:
        lines = [f"{'' if i == 0 else i - 1},{line}" for i, line in enumerate(lines)]
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture
def like(tmp_path: Path) -> Path:
    header = F17K.format(tone="fitzpatrick_scale,fitzpatrick_centaur")
    rows = [F17K_ROW.format(i=i, tone=t) for i, t in enumerate(["1,2", "6,6", "-1,3"])]
    return f17k(tmp_path / "like.csv", header, rows)


@pytest.mark.parametrize("index", [True, False])
@pytest.mark.parametrize(
    ("columns", "cells", "schema"),
    [
        ("fitzpatrick", "4", "2021, one tone column"),
        ("fitzpatrick_scale,fitzpatrick_centaur", "4,5", "2022, two tone columns"),
    ],
)
def test_every_layout_of_fitzpatrick17k_is_recognised(
    project: Path, tmp_path: Path, columns: str, cells: str, schema: str, index: bool
) -> None:
    rows = [F17K_ROW.format(i=1, tone=cells)]
    path = f17k(tmp_path / "any.csv", F17K.format(tone=columns), rows, index)
    dataset = recognise_dataset(project, path)
    metadata = parse_metadata(dataset, path)
    assert dataset.id == "fitzpatrick17k"
    assert metadata.schema.startswith(schema)
    assert metadata.tones["fitzpatrick_scale"] == ("IV",)
    assert ("fitzpatrick_centaur" in metadata.tones) == ("centaur" in columns)


@pytest.mark.parametrize("malignant", ["malignant", "malignancy(malig=1)"])
@pytest.mark.parametrize("derived", [True, False])
def test_every_layout_of_ddi_is_recognised(
    project: Path,
    tmp_path: Path,
    ddi_rows: Callable[..., list[str]],
    malignant: str,
    derived: bool,
) -> None:
    path = tmp_path / "any.csv"
    path.write_text("\n".join(ddi_rows(malignant, derived)) + "\n")
    dataset = recognise_dataset(project, path)
    metadata = parse_metadata(dataset, path)
    assert dataset.id == "ddi"
    assert metadata.columns["malignant"].count("True") == 171
    assert metadata.ids[0] == "000001.png"
    assert metadata.tones["skin_tone"].count("V-VI") == 207


def test_a_strange_csv_names_the_data_sets_that_were_tried(project: Path, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("a,b\n1,2\n")
    with pytest.raises(BadData, match=r"its columns \(a, b\) are those of no data set.*ddi"):
        recognise_dataset(project, tmp_path / "x.csv")


def test_stand_ins_are_drawn_under_the_real_names_and_marked(
    fitzpatrick17k: Dataset, like: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    draw_stand_ins(fitzpatrick17k, like, out, 24, workers=1)
    assert (out / "fitzpatrick17k.csv").read_bytes() == like.read_bytes()
    assert read_metadata(fitzpatrick17k, out).stand_in
    names = sorted(p.name for p in (out / "images").iterdir())
    assert names == [f"{i:032x}.jpg" for i in range(3)]
    mark = json.loads((out / "stand-in.json").read_text())
    assert mark["metadata_sha256"] == sha256_file(like)
    assert (mark["dataset"], mark["size_px"], mark["images"]) == ("fitzpatrick17k", 24, 3)


def test_a_stand_in_shows_its_rows_label_and_tone(
    fitzpatrick17k: Dataset, like: Path, tmp_path: Path
) -> None:
    draw_stand_ins(fitzpatrick17k, like, tmp_path / "out", 48, workers=1)
    drawn = np.asarray(Image.open(tmp_path / "out" / "images" / f"{1:032x}.jpg"), dtype=float)
    wanted = draw(Sitter(f"{1:032x}", "psoriasis", "VI", False), 48)[0].astype(float)
    other = draw(Sitter(f"{1:032x}", "psoriasis", "I", False), 48)[0].astype(float)
    assert abs(drawn - wanted).mean() < 10 < abs(drawn - other).mean()


def test_a_drawing_that_was_cut_off_goes_on(
    fitzpatrick17k: Dataset, like: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    draw_stand_ins(fitzpatrick17k, like, out, 24, workers=1)
    whole = folder_digest(out)
    (out / "stand-in.json").rename(out / "stand-in.part.json")
    (out / "fitzpatrick17k.csv").unlink()
    (out / "images" / f"{1:032x}.jpg").unlink()
    with pytest.raises(BadData):
        read_metadata(fitzpatrick17k, out)
    draw_stand_ins(fitzpatrick17k, like, out, 24, workers=1)
    assert folder_digest(out) == whole


def test_nothing_is_drawn_into_a_folder_of_something_else(
    fitzpatrick17k: Dataset, like: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "photo.jpg").write_text("a photograph")
    with pytest.raises(BadRequest, match="the folder is not empty"):
        draw_stand_ins(fitzpatrick17k, like, out, 24, workers=1)
    assert [p.name for p in out.iterdir()] == ["photo.jpg"]


def test_another_size_needs_another_folder(
    fitzpatrick17k: Dataset, like: Path, tmp_path: Path
) -> None:
    draw_stand_ins(fitzpatrick17k, like, tmp_path / "out", 24, workers=1)
    with pytest.raises(BadRequest, match="size_px 24, wanted 32"):
        draw_stand_ins(fitzpatrick17k, like, tmp_path / "out", 32, workers=1)
