"""A picture depends on its own sitter alone, and shows the tone and the lesion it was asked for."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from tonegap.colour import individual_typology_angle, lab_from_srgb
from tonegap.data.phantom.draw import DEFAULT, MASK_CLASSES, Sitter, draw, skin_type_of
from tonegap.data.phantom.skin import ANGLES
from tonegap.errors import BadRequest
from tonegap.tones import TYPES, tone_group

PLAIN = replace(
    DEFAULT,
    contrast=(1.0,) * 6,
    overlap=0.0,
    noise=0.0,
    blur=0.0,
    marks=0.0,
    hair_share=0.0,
    vignette_share=0.0,
    marker_share=0.0,
    ruler_share=0.0,
    backdrop_share=0.0,
)
CONDITIONS = (
    "basal cell carcinoma",
    "folliculitis",
    "nematode infection",
    "neutrophilic dermatoses",
    "prurigo nodularis",
    "psoriasis",
    "squamous cell carcinoma",
)


def test_same_sitter_gives_same_pixels_whatever_was_drawn_before():
    sitter = Sitter("a1", "psoriasis", "III")
    first, first_mask = draw(sitter, 32)
    draw(Sitter("b2", "folliculitis", "VI"), 48)
    second, second_mask = draw(sitter, 32)
    assert np.array_equal(first, second)
    assert np.array_equal(first_mask, second_mask)


def test_another_id_gives_other_pixels():
    one, _ = draw(Sitter("a1", "psoriasis", "III"), 32)
    other, _ = draw(Sitter("a2", "psoriasis", "III"), 32)
    assert np.mean(one != other) > 0.5


def test_a_picture_is_rgb_bytes_of_the_size_asked_for():
    rgb, mask = draw(Sitter("a1", "benign", "I"), 40)
    assert (rgb.shape, rgb.dtype) == ((40, 40, 3), np.uint8)
    assert (mask.shape, mask.dtype) == ((40, 40), np.uint8)


def test_an_id_shows_the_same_scene_at_another_size():
    sitter = Sitter("scene", "psoriasis", "II")
    small, _ = draw(sitter, 48, PLAIN)
    large, _ = draw(sitter, 96, PLAIN)
    halved = large.reshape(48, 2, 48, 2, 3).mean(axis=(1, 3))
    assert np.abs(halved - small).mean() < 3


def test_skin_grows_darker_from_type_i_to_type_vi():
    lightness = []
    for skin_type in TYPES:
        pixels = [skin_pixels(Sitter(f"s{i}", "psoriasis", skin_type)) for i in range(8)]
        lightness.append(float(np.median(np.concatenate(pixels)[:, 0])))
    assert all(light > dark + 3 for light, dark in pairwise(lightness))


@pytest.mark.parametrize("skin_type", TYPES)
def test_the_typology_angle_of_the_skin_is_that_of_its_type(skin_type):
    low, high = ANGLES[TYPES.index(skin_type)]
    angles = [
        float(
            np.median(
                individual_typology_angle(
                    skin_pixels(Sitter(f"t{i}", CONDITIONS[i % 7], skin_type))
                )
            )
        )
        for i in range(42)
    ]
    within = [low - 3 <= angle <= high + 3 for angle in angles]
    assert sum(within) >= 0.9 * len(within)


def test_masks_have_all_five_classes_and_no_other():
    everything = replace(DEFAULT, marker_share=1.0, ruler_share=1.0, backdrop_share=1.0)
    masks = [draw(Sitter(f"m{i}", CONDITIONS[i % 7], "II"), 48, everything)[1] for i in range(21)]
    assert set(np.unique(masks).tolist()) == set(range(len(MASK_CLASSES)))


def test_masks_are_skin_and_lesion_where_nothing_else_is_drawn():
    masks = [draw(Sitter(f"m{i}", CONDITIONS[i % 7], "II"), 48, PLAIN)[1] for i in range(7)]
    assert set(np.unique(masks).tolist()) == {1, 4}


@pytest.mark.parametrize("label", [*CONDITIONS, "benign", "malignant", "a rash nobody drew"])
def test_the_lesion_is_where_the_mask_says(label):
    sitter = Sitter("where", label, "II")
    bare = replace(PLAIN, contrast=(0.0,) * 6)
    shown, mask = draw(sitter, 64, PLAIN)
    change = np.abs(shown.astype(int) - draw(sitter, 64, bare)[0]).sum(axis=2)
    assert (mask == 1).any()
    assert change[mask == 1].mean() > 20
    assert change[mask == 1].mean() > 4 * change[mask == 4].mean()


def test_lower_contrast_brings_the_lesion_nearer_to_its_skin():
    sitter = Sitter("c", "psoriasis", "V")
    distances = []
    for contrast in (1.0, 0.5, 0.25):
        rgb, mask = draw(sitter, 64, replace(PLAIN, contrast=(contrast,) * 6))
        lab = lab_from_srgb(rgb)
        distances.append(np.linalg.norm(lab[mask == 1].mean(axis=0) - lab[mask == 4].mean(axis=0)))
    assert distances[0] > 1.5 * distances[1] > 2 * distances[2]


def test_default_contrast_falls_from_light_to_dark():
    assert list(DEFAULT.contrast) == sorted(DEFAULT.contrast, reverse=True)
    assert DEFAULT.contrast[0] > 2 * DEFAULT.contrast[-1]


def test_a_type_is_drawn_as_itself():
    assert [skin_type_of(Sitter("x", "benign", t)) for t in TYPES] == list(TYPES)


@pytest.mark.parametrize("group", ["I-II", "III-IV", "V-VI"])
def test_a_tone_group_draws_both_of_its_types_and_no_other(group):
    drawn = {skin_type_of(Sitter(f"g{i}", "benign", group)) for i in range(40)}
    assert drawn == {t for t in TYPES if tone_group(t) == group}


def test_an_unknown_tone_draws_every_type():
    assert {skin_type_of(Sitter(f"u{i}", "benign", None)) for i in range(100)} == set(TYPES)
    assert draw(Sitter("u0", "benign", None), 32)[0].shape == (32, 32, 3)


@pytest.mark.parametrize("tone", ["0", "VII", "dark", "", "-1"])
def test_a_tone_that_is_none_is_refused_with_the_image_named(tone):
    with pytest.raises(BadRequest, match="image q9: tone"):
        draw(Sitter("q9", "benign", tone), 32)


@pytest.mark.parametrize("size_px", [0, -5, 15, 2049])
def test_a_size_out_of_bounds_is_refused(size_px):
    with pytest.raises(BadRequest, match=f"size {size_px} px"):
        draw(Sitter("a", "benign", "I"), size_px)


def test_contrast_for_five_types_is_refused():
    with pytest.raises(BadRequest, match="contrast"):
        replace(DEFAULT, contrast=(1.0,) * 5)


@pytest.mark.parametrize("field", ["overlap", "hair_share", "ruler_share"])
def test_a_share_above_one_is_refused_by_its_name(field):
    with pytest.raises(BadRequest, match=field):
        replace(DEFAULT, **{field: 1.5})


def test_noise_that_is_no_number_is_refused():
    with pytest.raises(BadRequest, match="noise"):
        replace(DEFAULT, noise=float("nan"))


def skin_pixels(sitter):
    """CIELAB of the pixels [n, 3] that the mask calls skin."""
    rgb, mask = draw(sitter, 48)
    return lab_from_srgb(rgb[mask == MASK_CLASSES.index("skin")])
