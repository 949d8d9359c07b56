import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tonegap.colour import individual_typology_angle
from tonegap_kit.colour import lab_from_rgb
from tonegap_kit.skin import skin_colour

from .conftest import Ended, Toy, draw_toy

RunStage = Callable[..., Ended]


@pytest.fixture(scope="module")
def shifted(toy: Toy, run_stage: RunStage) -> Ended:
    return run_stage("methods/tone-shift", toy.folder)


def _training(folder: Path) -> dict[str, tuple[int, str, str]]:
    """Row, label and tone of each training image."""
    lines = (folder / "train.csv").read_text().splitlines()[1:]
    cells = [line.split(",") for line in lines]
    return {image_id: (i, label, tone) for i, (image_id, label, tone) in enumerate(cells)}


def _angle(image: np.ndarray) -> float:
    return float(individual_typology_angle(skin_colour(lab_from_rgb(image))))


def _image(ended: Ended, row: dict[str, str]) -> np.ndarray:
    with Image.open(ended.out / "images" / row["file"]) as image:
        return np.asarray(image)


def test_recoloured_images_keep_the_label_of_a_lighter_source(shifted: Ended, toy: Toy) -> None:
    assert shifted.code == 0, shifted.errors
    training = _training(toy.folder)
    order = ("I", "II", "III", "IV", "V", "VI")
    assert shifted.synthetic
    for row in shifted.synthetic:
        _, label, tone = training[row["sources"]]
        assert row["label"] == label
        assert order.index(tone) < order.index(row["tone"])


def test_the_skin_is_measured_at_the_tone_that_was_asked_for(shifted: Ended, toy: Toy) -> None:
    images = np.load(toy.folder / "train.npy")
    training = _training(toy.folder)
    ranges = {"V": (-26, 6), "VI": (-62, -34)}
    inside = []
    for row in shifted.synthetic:
        angle = _angle(_image(shifted, row))
        assert angle < _angle(images[training[row["sources"]][0]])
        low, high = ranges[row["tone"]]
        inside.append(low - 6 <= angle <= high + 6)
    assert np.mean(inside) > 0.95


def test_an_image_whose_border_shows_no_skin_is_passed_over_and_counted(
    toy: Toy, run_stage: RunStage, tmp_path: Path
) -> None:
    images, training = np.load(toy.folder / "train.npy"), _training(toy.folder)
    light = {
        name: row for name, (row, label, tone) in training.items() if label == "red" and tone == "I"
    }
    for row in light.values():
        images[row, :8], images[row, -8:], images[row, :, :8], images[row, :, -8:] = (250,) * 4
    (tmp_path / "train.csv").write_bytes((toy.folder / "train.csv").read_bytes())
    np.save(tmp_path / "train.npy", images)
    ended = run_stage("methods/tone-shift", tmp_path)
    usual = run_stage("methods/tone-shift", toy.folder)
    assert not {row["sources"] for row in ended.synthetic} & set(light)
    assert [row["image_id"] for row in ended.synthetic] == [
        row["image_id"] for row in usual.synthetic
    ]
    notes = json.loads((ended.out / "notes.json").read_text())
    assert list(notes["skipped"].values()) == [len(light)]
    assert json.loads((usual.out / "notes.json").read_text()) == {"skipped": {}}


def test_every_class_is_filled_in_dark_tones(shifted: Ended, toy: Toy) -> None:
    real = Counter((label, tone) for _, label, tone in _training(toy.folder).values())
    made = Counter((row["label"], row["tone"]) for row in shifted.synthetic)
    for label in ("red", "dark", "pale", "violet"):
        largest = max(n for (of, _), n in real.items() if of == label)
        for tone in ("V", "VI"):
            assert real[label, tone] + made[label, tone] == largest


def test_copies_are_as_many_of_the_same_labels_and_tones(
    shifted: Ended, toy: Toy, run_stage: RunStage
) -> None:
    copied = run_stage("methods/duplicate", toy.folder)
    assert copied.code == 0, copied.errors
    training = _training(toy.folder)
    filled = {(label, tone) for _, label, tone in training.values()}
    wanted = Counter((row["label"], row["tone"]) for row in shifted.synthetic)
    assert set(wanted) <= filled  # every cell has an image to copy in this toy
    assert Counter((row["label"], row["tone"]) for row in copied.synthetic) == wanted
    images = np.load(toy.folder / "train.npy")
    for row in copied.synthetic:
        i, label, tone = training[row["sources"]]
        assert (row["label"], row["tone"]) == (label, tone)
        assert np.array_equal(_image(copied, row), images[i])


def test_a_cell_without_images_is_copied_from_lighter_ones_as_they_are(
    toy: Toy, run_stage: RunStage, tmp_path: Path
) -> None:
    light = {
        i: line
        for i, line in enumerate((toy.folder / "train.csv").read_text().splitlines()[1:])
        if not line.endswith(("V", "VI")) or line.endswith("IV")
    }
    (tmp_path / "train.csv").write_text("\n".join(["image_id,label,tone", *light.values()]) + "\n")
    np.save(tmp_path / "train.npy", np.load(toy.folder / "train.npy")[list(light)])
    copied = run_stage("methods/duplicate", tmp_path)
    recoloured = run_stage("methods/tone-shift", tmp_path)
    labels = [Counter(row["label"] for row in ended.synthetic) for ended in (copied, recoloured)]
    assert labels[0] == labels[1]
    assert {row["tone"] for row in copied.synthetic} <= {"I", "II", "III", "IV"}
    assert {row["tone"] for row in recoloured.synthetic} == {"V", "VI"}


def test_the_ratio_limits_the_number_of_images(toy: Toy, run_stage: RunStage) -> None:
    few = run_stage("methods/tone-shift", toy.folder, {"ratio": 0.1})
    assert 10 < len(few.synthetic) <= 20  # of 200 training images, each order rounded down


def test_tone_groups_are_filled_as_types_are(run_stage: RunStage, tmp_path: Path) -> None:
    groups = ("I-II", "III-IV", "V-VI")
    toy = draw_toy(tmp_path / "in", groups)
    ended = run_stage("methods/tone-shift", toy.folder, tones=list(groups))
    assert ended.code == 0, ended.errors
    assert {row["tone"] for row in ended.synthetic} == {"V-VI"}
    angles = [_angle(_image(ended, row)) for row in ended.synthetic]
    assert max(angles) < 15
    assert min(angles) < -30


@pytest.mark.parametrize("name", ["tone-shift", "duplicate"])
def test_the_same_job_makes_the_same_bytes_and_another_seed_others(
    name: str, toy: Toy, run_stage: RunStage
) -> None:
    def made(seed: int) -> dict[str, bytes]:
        out = run_stage(f"methods/{name}", toy.folder, {"ratio": 0.2}, seed=seed).out
        return {str(p.relative_to(out)): p.read_bytes() for p in out.rglob("*") if p.is_file()}

    once = made(0)
    assert made(0) == once
    assert made(1)["synthetic.csv"] != once["synthetic.csv"]
