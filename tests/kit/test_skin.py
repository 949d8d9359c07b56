import numpy as np
import pytest

from tonegap import colour as phantom_colour
from tonegap.colour import individual_typology_angle
from tonegap.data.phantom import skin as phantom_skin
from tonegap_kit.colour import lab_from_rgb, rgb_from_lab
from tonegap_kit.errors import StageError
from tonegap_kit.skin import (
    _ANGLES_DEG,
    coloured_like_skin,
    draw_skin_colour,
    healthy_colour,
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


def _dark(contrast: float = 0.5) -> np.ndarray:
    made = recolour(_skin_with_a_lesion(), DARK, contrast)
    assert made is not None
    return made


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
    angles = [float(individual_typology_angle(draw_skin_colour(rng, tone))) for _ in range(200)]
    assert low - 0.1 <= min(angles) <= max(angles) <= high + 0.1
    assert max(angles) - min(angles) > 0.6 * (high - low)


def test_a_tone_without_an_angle_is_refused() -> None:
    with pytest.raises(StageError, match="tone 'light' has no individual typology angle"):
        draw_skin_colour(np.random.default_rng(0), "light")


def test_the_skin_is_measured_beside_lesion_and_ruler() -> None:
    assert skin_colour(lab_from_rgb(_skin_with_a_lesion())) == pytest.approx(LIGHT, abs=1)


def test_grey_and_blue_do_not_look_like_skin() -> None:
    lab = np.array([[80, 0, 1], [40, 5, -40], [72, 9, 15], [50, 35, 10]], np.float32)
    assert coloured_like_skin(lab).tolist() == [0, 0, 1, 1]


def test_recolouring_moves_the_skin_to_the_target() -> None:
    moved = skin_colour(lab_from_rgb(_dark()))
    assert moved == pytest.approx(DARK, abs=1.5)


def test_recolouring_keeps_the_ruler_white() -> None:
    image, moved = _skin_with_a_lesion(), _dark()
    assert np.abs(moved[:4].astype(int) - image[:4]).max() <= 3


def test_a_lesion_stays_darker_and_redder_than_its_skin() -> None:
    lab = lab_from_rgb(_dark())
    lesion = lab[20:28, 20:28].reshape(-1, 3).mean(axis=0)
    assert lesion[0] < DARK[0] - 4
    assert lesion[1] > DARK[1] + 6


def test_contrast_keeps_differences_of_lightness() -> None:
    # The filter leaves (35 + 16) / (72 + 16) = 0.58 of a difference of 12; contrast 1 leaves all.
    for contrast, wanted in ((0.0, 6.95), (1.0, 12.0)):
        lab = lab_from_rgb(_dark(contrast))
        lesion, skin = lab[20:28, 20:28, 0].mean(), lab[36:, :, 0].mean()
        assert skin - lesion == pytest.approx(wanted, abs=1)


def _cold(skin: tuple[float, float, float]) -> np.ndarray:
    """A red-brown lesion in the middle of even skin of this colour, L*, a*, b*."""
    lab = np.full((48, 48, 3), skin, np.float32)
    lab[16:32, 16:32] = (45, 22, 16)
    return rgb_from_lab(lab)


def test_under_a_cold_light_the_skin_of_the_border_is_recoloured_with_the_lesion() -> None:
    # Chroma 3.6: grey to the colour rule, which takes the lesion alone.
    image = _cold((74, 2, 3))
    assert coloured_like_skin(lab_from_rgb(image))[:9].max() < 0.1
    made = recolour(image, DARK, 0.5)
    assert made is not None
    skin, lesion = lab_from_rgb(made)[2, 2], lab_from_rgb(made)[24, 24]
    assert skin == pytest.approx(DARK, abs=1)
    # (35 + 16) / (74 + 16) = 0.567; of the 29 between skin and lesion 0.783 stay.
    assert skin[0] - lesion[0] == pytest.approx(22.7, abs=0.5)


@pytest.mark.parametrize(
    "border", [(96.0, 0.0, 1.0), (60.0, 3.0, -4.0)], ids=["white cloth", "blue light"]
)
def test_where_the_border_shows_no_skin_nothing_is_recoloured(
    border: tuple[float, float, float],
) -> None:
    image = _cold(border)
    assert healthy_colour(lab_from_rgb(image)) is None
    assert recolour(image, DARK, 0.5) is None


def test_a_border_that_does_not_come_to_the_target_is_not_dark_skin() -> None:
    # Of the border 38 % are paper and 12 % glare: more than half of it stays lighter by far than what is asked for.
    lab = np.full((48, 48, 3), (45.0, 14, 14), np.float32)
    for deep, colour in ((4, (85.0, 12, 12)), (3, (96.0, 0, 1))):
        lab[:deep], lab[-deep:], lab[:, :deep], lab[:, -deep:] = (colour,) * 4
    image = rgb_from_lab(lab)
    assert healthy_colour(lab_from_rgb(image)) == pytest.approx([45, 14, 14], abs=0.5)
    assert recolour(image, DARK, 0.5) is None


def test_a_lesion_that_would_darken_more_than_the_skin_stays_as_it_is() -> None:
    # The border's skin is darker by far than the middle, which a darker filter darkens more.
    lab = np.full((48, 48, 3), (85.0, 12, 14), np.float32)
    lab[:9], lab[-9:], lab[:, :9], lab[:, -9:] = ((48.0, 9, 15),) * 4
    assert recolour(rgb_from_lab(lab), DARK, 0.0) is None


def test_a_lesion_taken_for_the_skin_does_not_turn_the_skin_blue() -> None:
    # Of the picture 38² of 48² px (63 %) are lesion, of its border 39 %: b* of the skin would go from 4 to -4.5.
    lab = np.full((48, 48, 3), (60.0, 12, 4), np.float32)
    lab[5:43, 5:43] = (54, 20, 22)
    assert healthy_colour(lab) == pytest.approx([54, 20, 22])
    assert recolour(rgb_from_lab(lab), np.array([40, 10, 10], np.float32), 0.6) is None
    lab[5:43, 5:9] = (60, 12, 4)  # 34 × 38 px, 56 %
    lab[5:13, 9:43] = (60, 12, 4)  # 34 × 30 px, 44 %
    made = recolour(rgb_from_lab(lab), np.array([40, 10, 10], np.float32), 0.6)
    assert made is not None
    assert lab_from_rgb(made)[2, 2, 2] == pytest.approx(10, abs=1)


def test_a_small_lesion_that_darkens_more_than_pale_skin_is_passed_over() -> None:
    # A chroma of 8.3 is skin by 0.86: of the 50 L* to the target the skin loses 43, the lesion all.
    lab = np.full((48, 48, 3), (80.0, 8, 2), np.float32)
    lab[18:30, 18:30] = (80, 25, 10)
    image = rgb_from_lab(lab)
    assert recolour(image, np.array([30, 9, 12], np.float32), 0.5) is None
    # 20 L*, of which 2.8 are missing.
    made = recolour(image, np.array([60, 9, 12], np.float32), 0.5)
    assert made is not None
    lost = (lab - lab_from_rgb(made))[..., 0]
    assert lost[24, 24] - lost[2, 2] == pytest.approx(2.8, abs=0.7)


def test_skin_that_is_darker_than_the_target_is_not_made_lighter() -> None:
    assert recolour(_cold((30, 9, 14)), DARK, 0.5) is None  # DARK has an L* of 35


def test_a_border_of_violet_ink_stays_and_so_does_the_lesion() -> None:
    # A frame of 4 px is (48² - 40²) of the (48² - 30²) px of the border: 50 %; of 1 px: 13 %.
    for deep, fails in ((4, True), (1, False)):
        lab = lab_from_rgb(_cold((70, 12, 16)))
        for side in (np.s_[:deep], np.s_[-deep:], np.s_[:, :deep], np.s_[:, -deep:]):
            lab[side] = (35, 14, -20)
        assert (recolour(rgb_from_lab(lab), DARK, 0.5) is None) == fails


def test_crusts_that_would_darken_more_than_the_skin_are_passed_over() -> None:
    # (35 + 16) / (60 + 16) = 0.67 of a difference of 30 stay without contrast: 10 L* more than the skin loses.
    lab = np.full((48, 48, 3), (60.0, 12, 16), np.float32)
    lab[:18, 10:34] = (90, 12, 20)  # 432 of 2,304 px, 19 %; 216 of the middle's 900, 24 %
    assert recolour(rgb_from_lab(lab), DARK, 0.0) is None
    lab[:6] = (60, 12, 16)  # 288 px, 12.5 %
    assert recolour(rgb_from_lab(lab), DARK, 0.0) is None  # they are all that looks like a lesion
    lab[20:38, 12:36] = (45, 22, 18)  # 432 px beside the crusts' 216 in the middle
    assert recolour(rgb_from_lab(lab), DARK, 0.0) is not None


def test_the_kit_and_the_engine_see_the_same_colours_and_types() -> None:
    # Two sides of the contract cannot share code; that they agree is what makes a tone measurable.
    rgb = np.random.default_rng(0).integers(0, 256, (500, 3), dtype=np.uint8)
    assert lab_from_rgb(rgb) == pytest.approx(phantom_colour.lab_from_srgb(rgb), abs=0.01)
    assert tuple(_ANGLES_DEG.values()) == phantom_skin.ANGLES
