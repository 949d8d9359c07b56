"""Pictures of an external set: the method sees the same pixels as the engine."""

from pathlib import Path

import numpy as np
import pytest
from damaged_pictures import damaged
from numpy.typing import NDArray
from odd_pictures import odd_pictures, tiff_pages
from PIL import Image
from programs import importable

from tonegap.data import decode
from tonegap.data.decode import BadPicture
from tonegap.data.locate import IMAGE_SUFFIXES
from tonegap_kit.errors import StageError
from tonegap_kit.image_names import SUFFIXES

with importable("methods/external"):
    from pictures import FORMATS, MAX_BYTES, MAX_PIXELS, read_picture


def test_formats_and_limits_are_the_engines() -> None:
    assert FORMATS == decode.FORMATS
    assert SUFFIXES == IMAGE_SUFFIXES
    assert (MAX_BYTES, MAX_PIXELS) == (decode.MAX_BYTES, decode.MAX_PIXELS)


def by_the_engine(path: Path) -> NDArray[np.uint8] | None:
    """The pixels that the engine sees, None where it refuses the file."""
    try:
        return np.asarray(decode.decode(decode.read_bytes(path), "RGB", 1 << 16).image)
    except BadPicture:
        return None


def by_the_method(path: Path) -> NDArray[np.uint8] | None:
    """The pixels that the method sees, None where it refuses the file."""
    try:
        return read_picture(path)
    except StageError:
        return None


def test_the_method_and_the_engine_see_the_same_pixels_or_both_refuse(tmp_path: Path) -> None:
    path, seen = tmp_path / "x", []
    for i, (form, content) in enumerate(damaged(400, seed=5)):
        path.write_bytes(content)
        wanted, found = by_the_engine(path), by_the_method(path)
        assert np.array_equal(wanted, found), f"file {i}, {form}"
        seen.append(found is not None)
    assert 40 < sum(seen) < 360  # else the damage tests nothing


def test_so_they_do_of_odd_pictures(tmp_path: Path) -> None:
    refused = []
    for path in odd_pictures(tmp_path):
        wanted, found = by_the_engine(path), by_the_method(path)
        assert np.array_equal(wanted, found), path.name
        if found is None:
            refused.append(path.name)
    assert refused == [
        *("grey13.png", "float.tif", "grey32.tif", "hidden.png", "too_large.png"),
        *("thumbnails.tif", "dark_colour16.png", "dark_alpha16.png", "dark_colour16.ppm"),
        *("dark_colour16.tif", "planes16.tif"),
    ]


def test_the_picture_behind_a_thumbnail_is_the_one_that_is_handed_over(tmp_path: Path) -> None:
    path = tiff_pages(tmp_path / "x.tif", (10, {254: 1}), (200, {254: 0}))  # of 8 px, of 16 px
    assert (read_picture(path) == np.full((16, 16, 3), 200)).all()


def test_grey_of_16_bits_whose_white_is_0_is_turned_over(tmp_path: Path) -> None:
    levels = np.full((4, 4), 0xFFFF, np.uint16)
    levels[0, 0] = 0x4040  # 64 of 255
    Image.fromarray(levels).save(tmp_path / "x.tif", tiffinfo={262: 0})
    assert read_picture(tmp_path / "x.tif")[0, :2, 0].tolist() == [255 - 64, 0]


@pytest.mark.parametrize("content", [b"", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<html>"])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(StageError, match=r"x\.png: not a readable image"):
        read_picture(tmp_path / "x.png")


def test_levels_without_a_range_are_named(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(StageError, match="no known range"):
        read_picture(tmp_path / "x.tif")
