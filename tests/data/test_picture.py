"""Files that call themselves images."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tonegap.data.picture import TURNED, PictureFacts, read_picture

Make = Callable[..., Image.Image]


@pytest.fixture
def read(tmp_path: Path) -> Callable[[bytes], PictureFacts]:
    def _read(content: bytes) -> PictureFacts:
        path = tmp_path / "file.jpg"
        path.write_bytes(content)
        return read_picture(path)

    return _read


def encoded(image: Image.Image, form: str) -> bytes:
    stream = BytesIO()
    image.save(stream, form)
    return stream.getvalue()


def png_that_declares(width: int, height: int) -> bytes:
    """A PNG's signature and header chunk, with nothing behind it."""
    body = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    header = struct.pack(">I", 13) + body + struct.pack(">I", zlib.crc32(body))
    return b"\x89PNG\r\n\x1a\n" + header + b"\x00\x00\x00\x00IDAT"


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"])
def test_a_whole_image_has_no_problem(
    read: Callable[..., PictureFacts], picture: Make, form: str
) -> None:
    found = read(encoded(picture(1), form))
    assert (found.problem, len(found.grey)) == ("", 32 * 32)


def sixteen_bits(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "I;16"])
def test_every_colour_mode_is_read(
    read: Callable[..., PictureFacts], picture: Make, mode: str
) -> None:
    image = sixteen_bits(picture(1)) if mode == "I;16" else picture(1).convert(mode)
    found = read(encoded(image, "TIFF"))
    assert found.problem == ""


@pytest.mark.parametrize(
    "page",
    [
        b"<!DOCTYPE html><html><body>404</body></html>",
        b"\n  <HTML><head></head></HTML>",
        b"<?xml version='1.0'?><Error>AccessDenied</Error>",
    ],
)
def test_an_error_page_is_no_image(read: Callable[..., PictureFacts], page: bytes) -> None:
    found = read(page)
    assert (found.problem, found.text) == ("not an image", "an HTML or XML page")


def test_an_empty_file_is_no_image(read: Callable[..., PictureFacts]) -> None:
    found = read(b"")
    assert (found.problem, found.text) == ("not an image", "the file is empty")


def test_noise_is_no_image(read: Callable[..., PictureFacts]) -> None:
    assert read(bytes(range(256)) * 4).problem == "not an image"


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_half_a_download_is_truncated(
    read: Callable[..., PictureFacts], picture: Make, form: str, share: float
) -> None:
    content = encoded(picture(1, (640, 480)), form)
    found = read(content[: int(share * len(content))])
    assert (found.problem, found.grey) == ("truncated", b"")


def test_damage_inside_a_png_is_corrupt(read: Callable[..., PictureFacts], picture: Make) -> None:
    content = bytearray(encoded(picture(1, (640, 480)), "PNG"))
    middle = len(content) // 2
    content[middle : middle + 64] = bytes(64)
    assert read(bytes(content)).problem == "corrupt"


@pytest.mark.parametrize("side", [10_001, 60_000])
def test_a_bomb_of_pixels_is_refused_before_it_is_decoded(
    read: Callable[..., PictureFacts], side: int
) -> None:
    # Nothing follows the header: decoding it would be reported as truncated.
    assert read(png_that_declares(side, side)).problem == "too large"


def test_the_limit_itself_is_not_too_large(read: Callable[..., PictureFacts]) -> None:
    assert read(png_that_declares(10_000, 10_000)).problem == "truncated"


def test_a_file_that_is_gone_is_unreadable(tmp_path: Path) -> None:
    assert read_picture(tmp_path / "gone.png").problem == "unreadable"


def test_a_blank_image_is_usable_and_has_nothing_to_compare(
    read: Callable[..., PictureFacts],
) -> None:
    found = read(encoded(Image.new("RGB", (50, 50), (200, 180, 170)), "PNG"))
    assert (found.problem, found.grey, found.hash) == ("", b"", 0)


@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
@pytest.mark.parametrize(
    ("orientation", "note"),
    [(None, ""), (1, ""), (2, TURNED), (3, TURNED), (5, TURNED), (8, TURNED)],
)
def test_a_picture_that_its_exif_turns_or_mirrors_is_noted(
    tmp_path: Path, suffix: str, orientation: int | None, note: str
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    shades = Image.linear_gradient("L").resize((60, 40)).convert("RGB")
    shades.save(tmp_path / f"x.{suffix}", **({} if orientation is None else {"exif": exif}))
    assert read_picture(tmp_path / f"x.{suffix}").note == note
