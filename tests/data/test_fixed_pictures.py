"""The pictures that golden vectors are made of: what is drawn, and that they take the way of every image."""

import numpy as np
import pytest
from PIL import Image

from tonegap.data.fixed_pictures import fixed_pictures, prepared_pictures
from tonegap.data.preprocessing import read_image
from tonegap.formats.job import ImageSpec


def test_the_fixed_pictures_are_those_that_golden_vectors_were_made_of():
    slopes, squares, scatter = fixed_pictures()
    assert [p.shape for p in (slopes, squares, scatter)] == [
        (240, 320, 3), (320, 240, 3), (240, 320, 3)
    ]  # fmt: skip
    assert {p.dtype for p in (slopes, squares, scatter)} == {np.dtype(np.uint8)}
    assert slopes[239, 0].tolist() == [0, 255, 128]
    assert slopes[100, 4].tolist() == [255 * 4 // 319, 255 * 100 // 239, 128]
    assert squares[0, 0].tolist() == [90, 60, 50]
    assert squares[0, 8].tolist() == [200, 150, 130]
    assert squares[8, 8].tolist() == [90, 60, 50]
    assert scatter[2, 1].tolist() == [(31 + 34 + c) ** 2 % 256 for c in (0, 97, 194)]


def test_they_are_prepared_as_a_file_is(tmp_path):
    for i, picture in enumerate(fixed_pictures()):
        Image.fromarray(picture).save(tmp_path / f"{i}.png")
    for image in (ImageSpec(40, "crop"), ImageSpec(40, "stretch")):
        read = [read_image(tmp_path / f"{i}.png", image) for i in range(3)]
        assert np.array_equal(prepared_pictures(image), np.stack(read))


def test_a_crop_leaves_out_what_a_stretched_picture_shows():
    cropped, stretched = (prepared_pictures(ImageSpec(80, g)) for g in ("crop", "stretch"))
    ends = [[int(p[0, 40, column, 0]) for column in (0, 79)] for p in (cropped, stretched)]
    # Red is 255 x / 319: around columns 41 and 278 of the middle 240, around 1 and 318 of all; rounded down before.
    assert ends[0] == pytest.approx([33, 222], abs=1)
    assert ends[1] == pytest.approx([1, 254], abs=1)
