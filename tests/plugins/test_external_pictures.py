"""Pictures of an external set: the method sees the same pixels as the engine."""

from pathlib import Path

import numpy as np
import pytest
from damaged_pictures import damaged
from PIL import Image
from programs import importable

from tonegap.data import decode
from tonegap.data.decode import BadPicture
from tonegap.data.locate import IMAGE_SUFFIXES
from tonegap_kit.errors import StageError

with importable("methods/external"):
    from pictures import FORMATS, SUFFIXES, read_picture


def test_formats_are_the_engines() -> None:
    assert FORMATS == decode.FORMATS
    assert SUFFIXES == IMAGE_SUFFIXES


def test_the_method_and_the_engine_see_the_same_pixels(tmp_path: Path) -> None:
    path, read = tmp_path / "x", 0
    for _form, content in damaged(120, seed=5):
        path.write_bytes(content)
        try:
            wanted = np.asarray(decode.decode(content, "RGB", 4096).image)
        except BadPicture:
            continue
        read += 1
        assert (read_picture(path) == wanted).all()
    assert read > 20


@pytest.mark.parametrize("content", [b"", b"%!PS-Adobe-3.0 EPSF-3.0\n", b"<html>"])
def test_what_is_no_picture_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.png").write_bytes(content)
    with pytest.raises(StageError, match=r"x\.png: not a readable image"):
        read_picture(tmp_path / "x.png")


def test_levels_without_a_range_are_named(tmp_path: Path) -> None:
    Image.fromarray(np.full((8, 8), 0.5, np.float32)).save(tmp_path / "x.tif")
    with pytest.raises(StageError, match="no known range"):
        read_picture(tmp_path / "x.tif")
