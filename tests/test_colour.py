"""Colours against values worked out elsewhere."""

import numpy as np
import pytest

from tonegap.colour import individual_typology_angle, lab_from_srgb, srgb_from_lab


# L*, a*, b* under D65, from the definition with paper and pencil (white, black) and as published in
# colour tables for the primaries.
@pytest.mark.parametrize(
    ("rgb", "lab"),
    [
        ((255, 255, 255), (100, 0, 0)),
        ((0, 0, 0), (0, 0, 0)),
        ((255, 0, 0), (53.24, 80.09, 67.20)),
        ((0, 255, 0), (87.73, -86.18, 83.18)),
        ((0, 0, 255), (32.30, 79.19, -107.86)),
    ],
)
def test_lab_of_known_colours(rgb, lab):
    assert lab_from_srgb(np.array(rgb, np.uint8)) == pytest.approx(lab, abs=0.02)


def test_lab_and_back_is_the_same_colour_within_half_a_step():
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    rgb = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(-1, 1, 3)
    planes = lab_from_srgb(rgb).transpose(2, 0, 1).astype(np.float32)
    assert np.abs(srgb_from_lab(planes).transpose(1, 2, 0) - rgb).max() < 0.5


def test_a_colour_beyond_the_display_is_cut_not_wrapped():
    planes = np.array([[[120.0]], [[90.0]], [[-90.0]]], np.float32)
    rgb = srgb_from_lab(planes)
    assert (rgb.min(), rgb.max()) >= (0, 250)
    assert rgb.max() <= 255


def test_typology_angle_is_45_degrees_where_lightness_exceeds_50_by_as_much_as_yellow():
    lab = np.array([[65.0, 8.0, 15.0], [50.0, 8.0, 15.0], [35.0, 8.0, 15.0]])
    assert individual_typology_angle(lab) == pytest.approx([45, 0, -45])
