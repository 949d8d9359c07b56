"""Lesions mapped onto healthy skin that was filled without a model: geometry, pairs and lineage."""

import runpy
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from masked_toy import Workbench, draw_masked
from programs import importable
from scipy.ndimage import binary_erosion

from tonegap_kit.errors import StageError
from tonegap_kit.masks import LESION, SKIN

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "methods" / "cgddi-lesion-mapping"
with importable(FOLDER):
    from inpaint_classical import inpainted

    METHOD = SimpleNamespace(**runpy.run_path(str(FOLDER / "generate.py")))
QUICK = {"healthy": "filled", "padding_px": 1, "ratio": 1.0}


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return draw_masked(tmp_path_factory.mktemp("toy") / "in")


@pytest.fixture
def bench(
    toy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Workbench:
    return Workbench(tmp_path, toy, monkeypatch, capsys)


def _lesion(side: int, top: int, left: int, height: int, width: int) -> SimpleNamespace:
    mask = np.zeros((side, side), bool)
    mask[top : top + height, left : left + width] = True
    return METHOD.Lesion(mask, top, left, height, width)


def test_a_lesion_is_cut_out_two_pixels_beyond_its_border() -> None:
    mask = np.full((10, 10), SKIN, np.uint8)
    mask[4:6, 5] = LESION  # rows 4 and 5, column 5
    lesion = METHOD.cut_out(mask, 2)
    assert (lesion.top, lesion.left, lesion.height, lesion.width) == (2, 3, 6, 5)
    assert lesion.mask.sum() == 30


def test_corners_leave_the_padding_inside_the_valid_area() -> None:
    valid = np.zeros((8, 8), bool)
    valid[1:7, 1:8] = True  # 6 rows from 1, 7 columns from 1
    lesion = _lesion(8, 0, 0, 2, 3)
    # With padding 2 the box is 6 x 7: it fits once, and its inner corner is (1 + 2, 1 + 2).
    assert METHOD.free_corners(valid, lesion, 2).tolist() == [[3, 3]]
    # With padding 1 it is 4 x 5: 3 rows times 3 columns of places.
    assert len(METHOD.free_corners(valid, lesion, 1)) == 9
    assert len(METHOD.free_corners(valid, lesion, 3)) == 0


def test_a_pixel_that_is_not_skin_keeps_the_lesion_away() -> None:
    valid = np.ones((5, 5), bool)
    valid[2, 2] = False
    lesion = _lesion(5, 0, 0, 3, 3)  # every 3 x 3 box of a 5 x 5 image covers the middle
    assert len(METHOD.free_corners(valid, lesion, 0)) == 0


def test_a_pair_without_room_is_skipped_but_pasted_in_place_as_published() -> None:
    valid, lesion = np.zeros((6, 6), bool), _lesion(6, 1, 1, 2, 2)
    rng = np.random.default_rng(0)
    assert METHOD.place(valid, lesion, METHOD.Rule(1, False), rng) is None
    assert METHOD.place(valid, lesion, METHOD.Rule(1, True), rng) == (0, 0)


def test_as_published_a_smaller_padding_is_tried_where_the_first_has_no_room() -> None:
    valid, lesion = np.zeros((9, 9), bool), _lesion(9, 0, 0, 1, 1)
    valid[4, 4] = True  # room for one pixel, and for none around it
    rng = np.random.default_rng(0)
    assert METHOD.place(valid, lesion, METHOD.Rule(4, False), rng) is None
    assert METHOD.place(valid, lesion, METHOD.Rule(4, True), rng) == (4, 4)


@pytest.mark.parametrize(
    ("height", "width", "padding"), [(1, 1, 0), (3, 4, 2), (4, 3, 1), (5, 5, 0)]
)
def test_published_corners_are_those_of_an_erosion(height: int, width: int, padding: int) -> None:
    """The released notebook erodes by the box, then by its padding, and takes centres that are left for corners."""
    valid = np.random.default_rng(height).random((30, 26)) < 0.99
    area = binary_erosion(valid, np.ones((height, width)), border_value=1)
    if padding:
        area = binary_erosion(area, np.ones((2 * padding, 2 * padding)), border_value=1)
    corners = np.argwhere(area[: 30 - height + 1, : 26 - width + 1])
    found = METHOD.published_corners(valid, _lesion(30, 2, 3, height, width), padding)
    assert found.tolist() == corners.tolist()
    assert 0 < len(found) <= valid.sum()


def test_the_lesion_lands_where_it_was_moved_and_all_else_stays_skin() -> None:
    skin, donor = np.full((6, 6, 3), 200, np.uint8), np.full((6, 6, 3), 50, np.uint8)
    pair = METHOD.Pair(healthy=0, donor=1, down=2, right=1)
    pasted = METHOD.paste(skin, donor, _lesion(6, 0, 0, 2, 2), pair, 0.0)
    expected = np.full((6, 6), 200)
    expected[2:4, 1:3] = 50
    assert np.array_equal(pasted[..., 0], expected)


def test_a_soft_edge_takes_no_black_from_beyond_the_donor() -> None:
    skin = donor = np.full((12, 12, 3), 120, np.uint8)
    pair = METHOD.Pair(healthy=0, donor=1, down=5, right=5)
    pasted = METHOD.paste(skin, donor, _lesion(12, 0, 0, 3, 3), pair, 2.0)
    assert pasted.min() >= 119


def test_each_row_names_both_parents_and_has_the_skins_tone_and_the_donors_label(
    bench: Workbench, toy: Path
) -> None:
    made = bench.run("cgddi-lesion-mapping", "generate", QUICK)
    assert made.code == 0, made.errors
    lines = (toy / "train.csv").read_text().splitlines()[1:]
    real = {line.split(",")[0]: line.split(",")[1:] for line in lines}
    assert len(made.rows) == 24
    assert made.notes["pairs_placed"] == 24 <= made.notes["pairs_tried"]
    for row in made.rows:
        skin, _, rest = row["image_id"].partition("_with_")
        disease, _, origin = rest.partition("_from_")
        tone, _, donor = origin.partition("_")
        assert row["tone"] == real[skin][1]
        assert row["label"] == real[donor][0] == disease.replace("_", " ")
        assert tone == real[donor][1]
        assert set(row["sources"].split()) == {skin, donor}


def test_outside_the_lesion_and_the_painted_hole_the_photograph_is_untouched(
    bench: Workbench, toy: Path
) -> None:
    made = bench.run("cgddi-lesion-mapping", "generate", QUICK | {"ratio": 0.25})
    images, masks = np.load(toy / "train.npy"), np.load(toy / "train_masks.npy")
    for row in made.rows:
        i = int(row["image_id"][1:4])
        beyond = masks[i] == 0  # cloth and the like: neither painted nor pasted on
        assert np.abs(made.image(row)[beyond].astype(int) - images[i][beyond]).max(initial=0) <= 1
        assert (made.image(row) != images[i]).any()


def test_all_pairs_are_tried_when_no_ratio_is_set(bench: Workbench) -> None:
    made = bench.run("cgddi-lesion-mapping", "generate", QUICK | {"ratio": 0.0, "padding_px": 0})
    assert made.notes["pairs_tried"] == made.notes["healthy_images"] ** 2
    assert len(made.rows) == made.notes["pairs_placed"]
    without_room = made.notes["pairs_tried"] - made.notes["pairs_placed"]
    (passed_over,) = [n for why, n in made.notes["skipped"].items() if why.startswith("pairs of")]
    assert passed_over == without_room > 0


@pytest.mark.parametrize("published", [False, True])
def test_the_same_job_makes_the_same_bytes_and_another_seed_others(
    bench: Workbench, published: bool
) -> None:
    few = QUICK | {"ratio": 0.5, "as_published": published}
    once = bench.run("cgddi-lesion-mapping", "generate", few).files()
    assert bench.run("cgddi-lesion-mapping", "generate", few).files() == once
    other = bench.run("cgddi-lesion-mapping", "generate", few, seed=1).files()
    assert other["synthetic.csv"] != once["synthetic.csv"]


def test_without_masks_the_stage_says_so(bench: Workbench, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    bare.mkdir()
    for name in ("train.csv", "train.npy"):
        (bare / name).symlink_to(bench.inputs / name)
    (tmp_path / "work").mkdir()
    there = Workbench(tmp_path / "work", bare, bench.monkeypatch, bench.capsys)
    made = there.run("cgddi-lesion-mapping", "generate", QUICK)
    assert made.code == 1
    assert "needs a data set with lesion masks" in made.errors


def test_filling_leaves_the_rest_alone_and_goes_on_with_its_colour() -> None:
    image = np.full((32, 32, 3), (180, 120, 90), np.uint8)
    hole = np.zeros((32, 32), bool)
    hole[8:24, 8:24] = True
    image[hole] = (90, 20, 20)
    filled = inpainted(image, hole, np.random.default_rng(0))
    assert np.array_equal(filled[~hole], image[~hole])
    assert np.abs(filled[hole].astype(int) - (180, 120, 90)).max() <= 1


def test_an_image_that_is_all_hole_cannot_be_filled() -> None:
    with pytest.raises(StageError, match="the hole is the whole image"):
        inpainted(np.zeros((4, 4, 3), np.uint8), np.ones((4, 4), bool), np.random.default_rng(0))
