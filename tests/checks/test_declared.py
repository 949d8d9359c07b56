"""`tonegap check` where a data set's rows lie beside its declaration: a task that cannot be scored is a problem."""

from pathlib import Path

import pytest
from tiny_rooms import CLINIC, TASK

from tonegap.checks.declared import check_declared

TWO = TASK.replace("min_support = 1", "min_support = 2").replace(
    "fraction = 0.25", "fraction = 0.5"
)
BCC, WART = "basal cell carcinoma", "folliculitis"


def problems(root: Path, tones_of_test: str) -> list[str]:
    """Of eight training images of both classes and both tones, and test images of the given tones."""
    folder = root / "benchmarks" / "own"
    (folder / "tasks").mkdir(parents=True)
    (folder / "dataset.toml").write_text(CLINIC)
    (folder / "tasks" / "t.toml").write_text(TWO)
    rows = [(label, tone, "pool") for label in (BCC, WART) for tone in ("I", "VI")] * 2
    rows += [(BCC, tone, "probe") for tone in tones_of_test.split()]
    lines = [f"i{n},{','.join(row)}" for n, row in enumerate(rows)]
    (folder / "rows.csv").write_text("\n".join(["image_id,label,tone,half", *lines]) + "\n")
    return [f"{p.where}: {p.text}" for p in check_declared(root)]


def test_two_test_images_of_each_tone_are_enough(tmp_path: Path) -> None:
    assert problems(tmp_path, "I I VI VI") == []


@pytest.mark.parametrize(
    ("tones", "words"),
    [
        ("I I VI", "VI has 1 image (min_support 2)"),
        ("I I", "VI has 0 images (min_support 2)"),
        ("I I VI VI III", "test images have the tones III, which are not among the tones to score"),
    ],
)
def test_a_task_that_cannot_be_scored_is_named_before_anything_runs(
    tmp_path: Path, tones: str, words: str
) -> None:
    (found,) = problems(tmp_path, tones)
    assert found.startswith("benchmarks/own/tasks/t.toml: ")
    assert words in found


def test_cells_that_count_as_benign_for_their_spelling_are_named(tmp_path: Path) -> None:
    assert problems(tmp_path, "I I VI VI") == []
    declared = tmp_path / "benchmarks" / "own" / "dataset.toml"
    text = declared.read_text()
    declared.write_text(text + f'\n[malignant]\ncolumn = "label"\nvalues = ["{BCC.title()}"]\n')
    (found,) = [f"{p.where}: {p.text}" for p in check_declared(tmp_path)]
    assert found.startswith("benchmarks/own/dataset.toml: ")
    assert f"those of [malignant]: 8 '{BCC}' beside '{BCC.title()}'" in found


SEEN = '{ answer = "yes", source = "its authors" }'


def test_an_answer_about_a_misspelt_data_set_is_named(tmp_path: Path) -> None:
    assert problems(tmp_path, "I I VI VI") == []
    (tmp_path / "benchmarks/exposure.toml").write_text(
        f'[files.a]\nabout = "a"\nsha256 = "{"a" * 64}"\n[files.a.seen]\nonw = {SEEN}\nown = {SEEN}\n'
    )
    folder = tmp_path / "extractors" / "net"
    folder.mkdir(parents=True)
    (folder / "extractor.toml").write_text(
        'title = "N"\nabout = "n"\ncommand = ["python", "f.py"]\nstages = ["features"]\n'
        f"[exposure]\nowns = {SEEN}\n"
    )
    assert [f"{p.where}: {p.text}" for p in check_declared(tmp_path)] == [
        "benchmarks/exposure.toml: sha256 aaaaaaaaaaaa…: seen: 'onw' is no data set (did you mean 'own'?); "
        "there are: own",
        "extractors/net/extractor.toml: exposure: 'owns' is no data set (did you mean 'own'?); there are: own",
    ]
