"""Released synthetic sets as they are unpacked: what `external` reads of each without a manifest."""

import csv
import io
import json
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from masked_toy import Made, Workbench, draw_masked
from PIL import Image

from tonegap.synthetic.external_set import read_set
from tonegap.synthetic.source_names import KnownImages

COLOUR = (120, 80, 60)


@pytest.fixture
def bench(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workbench:
    """Twelve training images t000 to t011, tones I to VI in turn; the first six are basal cell carcinoma."""
    inputs = draw_masked(tmp_path / "toy", n=12)
    (tmp_path / "work").mkdir()
    return Workbench(tmp_path / "work", inputs, monkeypatch, capsys)


def picture(colour: tuple[int, int, int] = COLOUR) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (16, 16), colour).save(buffer, "PNG")
    return buffer.getvalue()


def shard(folder: Path, label: str, method: str, part: str, ids: list[str]) -> None:
    """A shard of synthetic-derm as released, unpacked: KEY.png and KEY.json for each image."""
    packed = io.BytesIO()
    prefix = f"{label}_{method}_{part}".replace("-", "_")
    with tarfile.open(fileobj=packed, mode="w") as tar:
        for number, image_id in enumerate(ids):
            key = f"{prefix}_generations1_{number:02}_{image_id}"
            told = {
                "name": f"{key}.png",
                "md5hash": image_id,
                "label": label,
                "method": method,
                "submethod": part,
                "generation_num": f"{number:02}",
                "tag": "generations1",
            }
            for suffix, content in ((".png", picture()), (".json", json.dumps(told).encode())):
                entry = tarfile.TarInfo(f"{key}{suffix}")
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))
    packed.seek(0)
    with tarfile.open(fileobj=packed) as tar:
        tar.extractall(folder, filter="data")


def handed_over(bench: Workbench, folder: Path) -> Made:
    made = bench.run("external", "generate", {"set": folder})
    assert made.code == 0, made.errors
    return made


def test_synthetic_derm_says_label_and_photograph_in_the_file_beside_an_image(
    bench: Workbench, tmp_path: Path
) -> None:
    folder = tmp_path / "synthetic-derm"
    carcinoma = "basal-cell-carcinoma"
    shard(folder, carcinoma, "finetune_text_to_image", "text-to-image", ["t001", "t002"])
    shard(folder, carcinoma, "finetune_inpaint", "inpaint", ["t004"])
    shard(folder, "psoriasis", "pretrained_inpaint", "inpaint", ["t011"])
    shard(folder, "psoriasis", "pretrained_inpaint", "inpaint-outpaint", ["t010"])
    # Left out: a photograph that methods are not shown (a test image, say), and a network of all conditions.
    shard(folder, "psoriasis", "finetune_text_to_image", "text-to-image", ["0" * 32])
    shard(folder, "all", "finetune_text_to_image", "text-to-image", ["t003"])
    made = handed_over(bench, folder)
    found = sorted((row["label"], row["sources"], row["tone"]) for row in made.rows)
    assert found == [
        # A fine-tuned network has seen photographs that nobody lists. Of words alone the tone is unknown.
        ("basal cell carcinoma", "t001 ?", ""),
        ("basal cell carcinoma", "t002 ?", ""),
        # Painted over the lesion: the skin, and with it the tone, is the photograph's.
        ("basal cell carcinoma", "t004 ?", "V"),
        # Painted around the lesion: the skin is new.
        ("psoriasis", "t010", ""),
        ("psoriasis", "t011", "VI"),
    ]
    assert made.notes == {
        "used": 5,
        "used, sources unknown": 3,
        "skipped": {
            "rows left out: label is no class of the task": 1,
            "rows left out: a source is no training image shown to methods": 1,
        },
    }
    assert (made.image(made.rows[0]) == np.array(COLOUR)).all()


def test_cgddi_says_canvas_disease_and_donor_in_the_name(bench: Workbench, tmp_path: Path) -> None:
    folder = tmp_path / "cgddi" / "lesion_mapped"
    folder.mkdir(parents=True)
    for name in (
        "t000_with_psoriasis_from_56_t010",
        "t005_with_basal_cell_carcinoma_from_12_t001",
        "t000_with_psoriasis_from_56_x999",
        "t000_with_melanoma_from_56_t010",
        "t003",
    ):
        (folder / f"{name}.png").write_bytes(picture())
    made = handed_over(bench, tmp_path / "cgddi")
    found = sorted((row["label"], row["sources"], row["tone"]) for row in made.rows)
    # The tone is that of the healthy image, not the donor's in the name.
    assert found == [("basal cell carcinoma", "t005 t001", "VI"), ("psoriasis", "t000 t010", "I")]
    # A disease that is no class, and a healthy image, whose name says no disease.
    assert made.notes["skipped"]["rows left out: label is no class of the task"] == 2
    assert (
        made.notes["skipped"]["rows left out: a source is no training image shown to methods"] == 1
    )


@pytest.mark.parametrize("content", ["[]", "{}", "nothing"])
def test_a_file_beside_an_image_that_says_something_else_is_named(
    content: str, bench: Workbench, tmp_path: Path
) -> None:
    folder = tmp_path / "set"
    folder.mkdir()
    (folder / "x.png").write_bytes(picture())
    (folder / "x.json").write_text(content)
    made = bench.run("external", "generate", {"set": folder})
    assert made.code == 1
    assert "x.json: not what synthetic-derm says of an image" in made.errors


def test_rows_for_some_images_leave_the_others_to_their_names(
    bench: Workbench, tmp_path: Path
) -> None:
    """As the docs say of cgDDI's release: a row for each healthy and semantic image, none for mapped ones."""
    for name in (
        "mapped/t000_with_psoriasis_from_56_t010",
        "mapped/t001_with_psoriasis_from_56_x999",
        "semantic/0",
        "healthy/0",
        "healthy/1",
    ):
        path = tmp_path / "cgddi" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture())
    table = (
        "file,label,tone,sources\nsemantic/0.png,psoriasis,dark,t002\nhealthy/0.png,healthy,,t003\n"
    )
    (tmp_path / "cgddi" / "synthetic.csv").write_text(table)
    made = bench.run(
        "external", "generate", {"set": tmp_path / "cgddi", "tones": ["dark=VI", "56=V"]}
    )
    assert made.code == 0, made.errors
    found = [(row["label"], row["sources"], row["tone"]) for row in made.rows]
    assert found == [("psoriasis", "t002", "VI"), ("psoriasis", "t000 t010", "I")]
    # healthy/0 by its row, healthy/1 because nobody says what it shows; the other mapped image by its donor.
    assert made.notes == {
        "used": 2,
        "used, sources unknown": 0,
        "skipped": {
            "rows left out: label is no class of the task": 2,
            "rows left out: a source is no training image shown to methods": 1,
        },
    }


def renamed(folder: Path, out: Path, ids: Callable[[int], str], labels: Mapping[str, str]) -> Path:
    """The training images of a folder under other ids and labels."""
    shutil.copytree(folder, out)
    with (folder / "train.csv").open(newline="") as f:
        _head, *rows = list(csv.reader(f))
    with (out / "train.csv").open("w", newline="") as f:
        table = csv.writer(f, lineterminator="\n")
        table.writerow(["image_id", "label", "tone"])
        table.writerows((ids(i), labels[label], tone) for i, (_, label, tone) in enumerate(rows))
    return out


@pytest.mark.parametrize(
    "ids",
    [
        "2021.03.{0:03}".format,
        lambda i: f"p{i // 2}.{'png' if i % 2 else 'jpg'}",
        "archive/{0} of 12.jpeg".format,
    ],
    ids=["dots", "one stem", "folders and blanks"],
)
def test_lesions_mapped_here_are_read_again_by_their_names_alone(
    bench: Workbench, tmp_path: Path, ids: Callable[[int], str]
) -> None:
    labels = {
        "basal cell carcinoma": "eczema/atopic dermatitis",
        "psoriasis": "basal_cell carcinoma",
    }
    inputs = renamed(bench.inputs, tmp_path / "renamed", ids, labels)
    again = replace(bench, inputs=inputs)
    wanted = {"healthy": "filled", "padding_px": 0, "ratio": 2.0}
    made = again.run("cgddi-lesion-mapping", "generate", wanted)
    assert made.code == 0, made.errors
    assert len(made.rows) > 12
    read = handed_over(again, made.out / "images")
    said = [sorted((r["label"], r["tone"], r["sources"]) for r in m.rows) for m in (made, read)]
    assert said[0] == said[1]
    known = KnownImages([ids(i) for i in range(12)], {})
    for row in read_set(made.out / "images", None).rows:
        sources = next(r["sources"] for r in made.rows if r["image_id"] == row.image_id)
        assert " ".join(known.resolve(row.sources or ())[0]) == sources
