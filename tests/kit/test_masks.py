"""Lesion masks as a stage reads them."""

import json
from pathlib import Path

import numpy as np
import pytest

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.job import read_job
from tonegap_kit.masks import (
    LESION,
    MARKER,
    RULER,
    SKIN,
    blurred,
    can_be_healed,
    dilated,
    lesion_holes,
    read_masks,
)

SIDE = 8


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    """A stage with two training images of 8 px and no masks."""
    job = {
        "contract": 1,
        "stage": "generate",
        "task": "toy/masks",
        "classes": ["a"],
        "positive": [],
        "tones": ["I"],
        "seed": 0,
        "image": {"size_px": SIDE, "geometry": "crop"},
        "parameters": {},
        "device": "cpu",
        "threads": 1,
        "time_limit_s": 60,
    }
    (tmp_path / "job.json").write_text(json.dumps(job))
    np.save(tmp_path / "train.npy", np.zeros((2, SIDE, SIDE, 3), np.uint8))
    return Stage(read_job(tmp_path / "job.json"), tmp_path, tmp_path)


def test_without_masks_there_are_none(stage: Stage) -> None:
    assert read_masks(stage) is None


def test_masks_come_as_they_are(stage: Stage) -> None:
    masks = np.arange(2 * SIDE * SIDE, dtype=np.uint8).reshape(2, SIDE, SIDE) % 5
    np.save(stage.inputs / "train_masks.npy", masks)
    assert np.array_equal(read_masks(stage), masks)


@pytest.mark.parametrize(
    ("masks", "said"),
    [
        (np.zeros((1, SIDE, SIDE), np.uint8), "wanted uint8 \\[2, 8, 8\\]"),
        (np.zeros((2, SIDE, SIDE), np.int64), "holds int64"),
        (np.full((2, SIDE, SIDE), 5, np.uint8), "holds the value 5"),
    ],
)
def test_masks_that_do_not_fit_are_refused(stage: Stage, masks: np.ndarray, said: str) -> None:
    np.save(stage.inputs / "train_masks.npy", masks)
    with pytest.raises(StageError, match=said):
        read_masks(stage)


def test_a_pixel_grows_to_a_square_as_often_as_told() -> None:
    mask = np.zeros((9, 9), bool)
    mask[4, 4] = True
    assert dilated(mask, 3, 2).sum() == 25
    assert np.array_equal(dilated(mask, 3, 2), dilated(mask, 5))
    assert dilated(mask, 5)[2:7, 2:7].all()


def test_a_soft_edge_is_half_way_at_the_border_of_a_half_plane() -> None:
    mask = np.zeros((40, 40), bool)
    mask[:, 20:] = True
    soft = blurred(mask, 2.0)
    assert (soft[20, 19] + soft[20, 20]) / 2 == pytest.approx(0.5, abs=0.01)
    assert soft[20, 5] == 0
    assert soft[20, 35] == 1


def test_a_hole_is_lesion_and_marker_but_no_ruler() -> None:
    mask = np.full((1, 9, 9), SKIN, np.uint8)
    mask[0, 1, 1], mask[0, 7, 7], mask[0, 1, 7] = LESION, MARKER, RULER
    holes = lesion_holes(mask, 1)
    assert np.argwhere(holes[0]).tolist() == [[1, 1], [7, 7]]


def test_an_image_without_a_lesion_or_without_skin_cannot_be_healed() -> None:
    masks = np.full((3, 4, 4), SKIN, np.uint8)
    masks[1, 0, 0] = LESION
    masks[2] = LESION
    assert can_be_healed(masks, lesion_holes(masks, 1)).tolist() == [1]
