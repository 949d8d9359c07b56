"""A data set that joins others: trained on one, tested on the other."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_rooms import CLINIC

from tonegap.data.metadata import Metadata, read_metadata
from tonegap.declared.dataset import read_dataset
from tonegap.declared.task import read_task
from tonegap.errors import BadData, BadSuiteFolder
from tonegap.split.load import load_data, task_view
from tonegap.split.partition import partition
from tonegap.split.view import TaskView

OTHER = (
    CLINIC.replace("image_id", "file")
    .replace('"label"', '"bad"')
    .replace("label = {}", "bad = {}")
    .replace("tones.tone", "tones.nurse")
)
JOINED = """\
title = "Both"
source = "own"
licence = "none"
access = "ask both"
metadata = []
file_names = []
id_column = "image_id"
label_column = "malignant"
[columns]
image_id = {}
data_set = {}
malignant = {}
tone = {}
[tones.tone]
column = "tone"
[[joined]]
dataset = "one"
columns = { malignant = "label" }
cells.malignant = { melanoma = "yes", wart = "no" }
tones = { tone = "tone" }
[[joined]]
dataset = "two"
columns = { malignant = "bad" }
tones = { tone = "nurse" }
"""
TASK = """\
title = "T"
about = "T."
[labels]
column = "malignant"
classes = ["no", "yes"]
positive = ["yes"]
[tones]
axis = "tone"
scored = ["I-II", "V-VI"]
[split]
rule = "value-holdout"
seeds = [0]
column = "data_set"
train = ["one"]
test = ["two"]
[validation]
rule = "carve"
fraction = 0.25
strata = []
[scores]
min_support = 1
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A suite root with data sets `one` (types) and `two` (groups, other columns), and one that joins them."""
    folder = tmp_path / "benchmarks"
    for name, text in (("one", CLINIC), ("two", OTHER)):
        (folder / name).mkdir(parents=True)
        (folder / name / "dataset.toml").write_text(text)
    (folder / "both" / "tasks").mkdir(parents=True)
    (folder / "both" / "dataset.toml").write_text(JOINED)
    (folder / "both" / "tasks" / "t.toml").write_text(TASK)
    return tmp_path


@pytest.fixture
def copies(tmp_path: Path) -> Path:
    """Copies of both: x1 to x8 of `one` and y1 to y4 of `two`, of which y1 is the picture of x1."""
    rng = np.random.default_rng(1)
    rows = {
        "one": [
            "image_id,label,tone,half",
            *(f"x{n},{'melanoma' if n % 2 else 'wart'},{n % 6 + 1}," for n in range(1, 9)),
        ],
        "two": ["file,bad,tone,half", "y1,no,12,", "y2,yes,12,", "y3,no,56,", "y4,yes,56,"],
    }
    for name, lines in rows.items():
        folder = tmp_path / "copies" / name / "images"
        folder.mkdir(parents=True)
        (folder.parent / "rows.csv").write_text("\n".join(lines) + "\n")
        for line in lines[1:]:
            noise = rng.integers(0, 256, (48, 48, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / f"{line.partition(',')[0]}.png")
    one, two = (tmp_path / "copies" / name / "images" for name in ("one", "two"))
    (two / "y1.png").write_bytes((one / "x1.png").read_bytes())
    return tmp_path / "copies"


def view(root: Path, copies: Path) -> TaskView:
    data = load_data(read_dataset(root, "both"), copies, root / "cache", 1)
    return task_view(read_task(root, "both/t"), 0, data, subset=None, allow_missing=False)


def test_one_is_trained_on_and_the_other_tested_on(root: Path, copies: Path) -> None:
    made = view(root, copies)
    assert made.test.ids == ("y1", "y2", "y3", "y4")
    assert (made.data.joined, made.data.tested) == (("one", "two"), ("two",))
    assert (made.data.asked, made.data.trained_on) == (("two",), ("one",))
    assert made.test.labels == ("no", "yes", "no", "yes")
    assert made.test.tones == ("I-II", "I-II", "V-VI", "V-VI")
    assert sorted([*made.train.ids, *made.validation.ids]) == [f"x{n}" for n in range(1, 9)]
    labels = dict(zip(made.train.ids, made.train.labels, strict=True))
    assert all(label == ("yes" if int(i[1]) % 2 else "no") for i, label in labels.items())
    assert set(made.train.tones) <= {"I-II", "III-IV", "V-VI"}
    assert made.data.joined == ("one", "two")


def test_a_copy_in_the_other_data_set_is_a_leak(root: Path, copies: Path) -> None:
    leaks = view(root, copies).leaks
    assert (leaks.n_groups, leaks.n_test_images, leaks.test_images_by_tone) == (1, 1, {"I-II": 1})


@pytest.mark.parametrize("declared", [True, False])
def test_patients_of_two_data_sets_are_strangers(root: Path, copies: Path, declared: bool) -> None:
    for name in ("one", "two"):
        path = root / "benchmarks" / name / "dataset.toml"
        path.write_text(path.read_text().replace("[columns]", 'groups = ["half"]\n[columns]', 1))
        rows = copies / name / "rows.csv"
        head, *lines = rows.read_text().splitlines()
        lines = [f"{line.removesuffix(',')},{7 if i else ' '}" for i, line in enumerate(lines)]
        rows.write_text("\n".join([head, *lines]) + "\n")
    path = root / "benchmarks" / "both" / "dataset.toml"
    text = path.read_text()
    if declared:
        text = text.replace("[columns]", 'groups = ["half"]\n[columns]').replace(
            "image_id = {}", "image_id = {}\nhalf = {}"
        )
        text = text.replace("columns = { malignant", 'columns = { half = "half", malignant')
    path.write_text(text)
    found = read_metadata(read_dataset(root, "both"), copies)
    assert found.groups == {"half": ("", *["one: 7"] * 7, "", *["two: 7"] * 3)}
    assert ("half" in found.columns) is declared
    crossed = view(root, copies).leaks.groups["half"]
    assert (crossed.n_test_images, crossed.n_pairs, crossed.n_blank) == (0, 0, 2)


def test_a_cell_that_is_not_named_is_refused(root: Path, copies: Path) -> None:
    path = root / "benchmarks" / "both" / "dataset.toml"
    path.write_text(path.read_text().replace(', wart = "no"', ""))
    with pytest.raises(BadData, match="label is 'wart'; the joined data set names melanoma"):
        read_metadata(read_dataset(root, "both"), copies)


def test_ids_of_both_are_refused(root: Path, copies: Path) -> None:
    rows = copies / "two" / "rows.csv"
    rows.write_text(rows.read_text().replace("y2,", "x2,"))
    with pytest.raises(BadData, match=r"1 ids are of two data sets \(first: x2\)"):
        read_metadata(read_dataset(root, "both"), copies)


def test_a_copy_that_is_not_there_is_named_with_access(root: Path, copies: Path) -> None:
    (copies / "two").rename(copies / "three")
    with pytest.raises(BadData, match=r"no folder two; Both joins one and two: .*: walk in"):
        read_metadata(read_dataset(root, "both"), copies)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("metadata = []", 'metadata = ["rows.csv"]', "metadata: found one beside joined"),
        (
            'columns = { malignant = "bad" }',
            "columns = {}",
            "two: columns: found none; wanted malig",
        ),
        ('tones = { tone = "tone" }', "tones = {}", "one: tones: found none; wanted tone"),
        ("data_set = {}\n", "", "columns: no 'data_set'"),
        ('dataset = "two"', 'dataset = "one"', "joined: wanted two data sets or more, each once"),
    ],
)
def test_a_declaration_that_joins_too_little_is_one_sentence(
    root: Path, old: str, new: str, words: str
) -> None:
    path = root / "benchmarks" / "both" / "dataset.toml"
    path.write_text(path.read_text().replace(old, new, 1))
    with pytest.raises(BadSuiteFolder, match=words):
        read_dataset(root, "both")


def test_fitzpatrick17k_is_trained_on_and_ddi_tested_on(
    project: Path, fitzpatrick17k_root: Path, ddi_root: Path, ddi: Metadata, tmp_path: Path
) -> None:
    (tmp_path / "fitzpatrick17k").symlink_to(fitzpatrick17k_root)
    (tmp_path / "ddi").symlink_to(ddi_root)
    metadata = read_metadata(read_dataset(project, "fitzpatrick17k-ddi"), tmp_path)
    made = partition(read_task(project, "fitzpatrick17k-ddi/malignant"), metadata, 0)
    assert made.sizes == {"train": 14919, "validation": 1658, "test": 656, "unused": 0}
    assert made.members("test") == ddi.ids
    assert made.labels.count("yes") == 2263 + 171
    tested = [tone for part, tone in zip(made.parts, made.tones, strict=True) if part == "test"]
    assert [tested.count(tone) for tone in ("I-II", "III-IV", "V-VI")] == [208, 241, 207]
