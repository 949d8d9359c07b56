"""Declarations of data sets and the contradictions they may hold."""

import re
from pathlib import Path

import pytest

from tonegap.declared.dataset import Dataset, dataset_ids, read_dataset, read_dataset_folder
from tonegap.errors import BadSuiteFolder


def change(clinic: Dataset, old: str, new: str) -> None:
    path = clinic.folder / "dataset.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def test_every_declared_data_set_of_the_suite_reads(project: Path) -> None:
    ids = dataset_ids(project)
    assert {"ddi", "fitzpatrick17k", "phantom"} <= set(ids)
    for dataset_id in ids:
        assert read_dataset(project, dataset_id).id == dataset_id


def test_an_unknown_data_set_names_those_there_are(project: Path) -> None:
    with pytest.raises(BadSuiteFolder, match=r"no data set 'isic'; there are: .*phantom"):
        read_dataset(project, "isic")


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('"{picture no}.png"', '"{number}.png"', "file_names: no column 'number'; declared are"),
        ('id_column = "picture no"', 'id_column = "no"', "id_column: no column 'no'"),
        ('column = "second skin"', 'column = "third"', "tones.machine: no column 'third'"),
        ('column = "bad"', 'column = "good"', "malignant: no column 'good'"),
        ('metadata = ["rows.csv"]', "metadata = []", "metadata: empty"),
        (
            "[tones.nurse]",
            '[tones.nurse]\nwords = { fair = "M2" }',
            "tones.nurse.words: 'fair' is 'M2'; wanted",
        ),
        (
            "[tones.nurse]",
            '[tones.nurse]\nwords = { "?" = "I" }',
            r"tones.nurse: '\?' is both unknown and 'I' in words",
        ),
        (
            "file_names",
            'masks = ["m.png"]\nmask_values = { lesion = [255], skin = ["#ffffff"] }\nfile_names',
            r"'#ffffff' is both lesion and skin \(the level 255 is the colour '#ffffff', white\)",
        ),
        (
            "file_names",
            'masks = ["m.png"]\nmask_values = { scar = [7] }\nfile_names',
            "mask_values: unknown key 'scar'; wanted background, lesion, marker, ruler, skin",
        ),
        ('access = "walk in"', 'acces = "walk in"', "unknown key `acces`"),
        ('access = "walk in"', "", "missing key `access`"),
    ],
)
def test_a_contradiction_names_its_place(
    clinic: Dataset, old: str, new: str, sentence: str
) -> None:
    change(clinic, old, new)
    with pytest.raises(BadSuiteFolder, match=sentence):
        read_dataset_folder(clinic.folder)


def test_the_masks_that_the_docs_declare_are_read(clinic: Dataset, project: Path) -> None:
    text = (project / "docs" / "own-data.md").read_text()
    (example,) = (b for b in re.findall(r"```toml\n(.*?)```", text, re.S) if "[mask_values]" in b)
    masks, values = example.replace("{image_id}", "{picture no}").split("[mask_values]")
    change(clinic, "file_names", f"{masks}\nfile_names")
    change(clinic, "[tones.nurse]", f"[mask_values]{values}\n[tones.nurse]")
    file = read_dataset_folder(clinic.folder).file
    assert file.mask_values == {
        "lesion": ("#ff0000", 255),
        "skin": ("#00ff00",),
        "background": (0,),
    }


DRAWN = """
[drawn]
seed = 1
size_px = 32
id_prefix = "x"
labels = { a = false }

[drawn.halves.pool]
images = 4
tones = { I = 1 }
"""


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("size_px = 32", "size_px = 8", "drawn.size_px: 8; wanted 16 to 2048"),
        ("tones = { I = 1 }", "tones = { VII = 1 }", "'VII' is no skin tone"),
        ("tones = { I = 1 }", "tones = { I = 0 }", "tone shares >= 0, not all 0"),
        ("images = 4", "images = 0", "wanted images >= 1"),
        ("labels = { a = false }", "labels = {}", "drawn.labels: empty"),
        ("", "", "columns: 'picture no' is never drawn"),
    ],
)
def test_a_drawn_data_set_is_checked_as_well(
    clinic: Dataset, old: str, new: str, sentence: str
) -> None:
    path = clinic.folder / "dataset.toml"
    path.write_text(path.read_text() + DRAWN.replace(old, new))
    with pytest.raises(BadSuiteFolder, match=sentence):
        read_dataset_folder(clinic.folder)


def test_masks_that_the_drawing_would_not_write_are_refused(
    phantom: Dataset, tmp_path: Path
) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    text = (phantom.folder / "dataset.toml").read_text()
    (folder / "dataset.toml").write_text(text.replace("masks/{image_id}.png", "m/{image_id}.png"))
    with pytest.raises(BadSuiteFolder, match=r"masks: 'm/\{image_id\}\.png' is never drawn"):
        read_dataset_folder(folder)
