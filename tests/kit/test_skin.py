import numpy as np
import pytest

from tonegap import colour as phantom_colour
from tonegap.data.phantom import skin as phantom_skin
from tonegap_kit.colour import lab_from_rgb, rgb_from_lab, typology_angle
from tonegap_kit.errors import StageError
from tonegap_kit.skin import (
    _ANGLES_DEG,
    coloured_like_skin,
    draw_skin_colour,
    recolour,
    skin_colour,
)

LIGHT = np.array([72.0, 9, 15], np.float32)
DARK = np.array([35.0, 9, 12], np.float32)


def _skin_with_a_lesion(seed: int = 0) -> np.ndarray:
    """A light skin with noise, a red lesion in the middle and a white ruler at the top."""
    rng = np.random.default_rng(seed)
    lab = LIGHT + rng.normal(0, 1.5, (48, 48, 3)).astype(np.float32)
    lab[16:32, 16:32] += np.array([-12, 18, 4], np.float32)
    lab[:6] = (94, 0, 1)
    return rgb_from_lab(lab)


@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        # Published values for sRGB's corners under D65.
        ((255, 255, 255), (100.0, 0.0, 0.0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
        ((0, 0, 0), (0.0, 0.0, 0.0)),
    ],
)
def test_lab_is_that_of_the_standard(rgb: tuple[int, ...], lab: tuple[float, ...]) -> None:
    assert lab_from_rgb(np.array(rgb, np.uint8)) == pytest.approx(lab, abs=0.02)


def test_every_colour_survives_the_way_to_lab_and_back() -> None:
    step = np.arange(0, 256, 15, dtype=np.uint8)
    rgb = np.stack(np.meshgrid(step, step, step), axis=-1)
    assert np.array_equal(rgb_from_lab(lab_from_rgb(rgb)), rgb)


def test_the_typology_angle_is_45_degrees_where_lightness_exceeds_50_by_b() -> None:
    assert typology_angle(np.array([65.0, 9, 15], np.float32)) == pytest.approx(45)


@pytest.mark.parametrize(
    ("tone", "low", "high"),
    [
        ("I", 58, 68),
        ("III", 30, 40),
        ("V", -26, 6),
        ("VI", -62, -34),
        ("V-VI", -62, 6),
        ("I-II", 43, 68),
    ],
)
def test_a_drawn_skin_lies_in_the_range_of_its_tone(tone: str, low: float, high: float) -> None:
    rng = np.random.default_rng(0)
    angles = [float(typology_angle(draw_skin_colour(rng, tone))) for _ in range(200)]
    assert low - 0.1 <= min(angles) <= max(angles) <= high + 0.1
    assert max(angles) - min(angles) > 0.6 * (high - low)


def test_a_tone_without_an_angle_is_refused() -> None:
    with pytest.raises(StageError, match="tone 'light' has no typology angle"):
        draw_skin_colour(np.random.default_rng(0), "light")


def test_the_skin_is_measured_beside_lesion_and_ruler() -> None:
    assert skin_colour(lab_from_rgb(_skin_with_a_lesion())) == pytest.approx(LIGHT, abs=1)


def test_grey_and_blue_do_not_look_like_skin() -> None:
    lab = np.array([[80, 0, 1], [40, 5, -40], [72, 9, 15], [50, 35, 10]], np.float32)
    assert coloured_like_skin(lab).tolist() == [0, 0, 1, 1]


def test_recolouring_moves_the_skin_to_the_target() -> None:
    moved = skin_colour(lab_from_rgb(recolour(_skin_with_a_lesion(), DARK, 0.5)))
    assert moved == pytest.approx(DARK, abs=1.5)


def test_recolouring_keeps_the_ruler_white() -> None:
    image = _skin_with_a_lesion()
    moved = recolour(image, DARK, 0.5)
    assert np.abs(moved[:4].astype(int) - image[:4]).max() <= 3


def test_a_lesion_stays_darker_and_redder_than_its_skin() -> None:
    lab = lab_from_rgb(recolour(_skin_with_a_lesion(), DARK, 0.5))
    lesion = lab[20:28, 20:28].reshape(-1, 3).mean(axis=0)
    assert lesion[0] < DARK[0] - 4
    assert lesion[1] > DARK[1] + 6


def test_contrast_keeps_differences_of_lightness() -> None:
    # The filter leaves (35 + 16) / (72 + 16) = 0.58 of a difference of 12; contrast 1 leaves all.
    for contrast, wanted in ((0.0, 6.95), (1.0, 12.0)):
        lab = lab_from_rgb(recolour(_skin_with_a_lesion(), DARK, contrast))
        lesion, skin = lab[20:28, 20:28, 0].mean(), lab[36:, :, 0].mean()
        assert skin - lesion == pytest.approx(wanted, abs=1)


def test_the_kit_and_the_engine_see_the_same_colours_and_types() -> None:
    # Two sides of the contract cannot share code; that they agree is what makes a tone measurable.
    rgb = np.random.default_rng(0).integers(0, 256, (500, 3), dtype=np.uint8)
    assert lab_from_rgb(rgb) == pytest.approx(phantom_colour.lab_from_srgb(rgb), abs=0.01)
    assert tuple(_ANGLES_DEG.values()) == phantom_skin.ANGLES
