"""Picture files of nine formats in odd modes, damaged at random, and what every place that reads pictures makes of one.

One in ten is whole. Damage: bytes changed, cut off, blanked, in the middle or in the EXIF; two files grown together;
no picture at all.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from tonegap.data.decode import decode
from tonegap.data.picture import read_picture
from tonegap.data.preprocessing import read_image
from tonegap.errors import BadData
from tonegap.formats.job import ImageSpec
from tonegap.synthetic.thumbnails import read_thumbs

FORMS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM", "JPEG2000")
_WITH_EXIF = frozenset({"JPEG", "PNG", "TIFF", "WEBP", "AVIF"})
_MODES = ("RGB", "L", "RGBA", "P", "1", "CMYK", "I;16", "LA", "LAB", "YCbCr", "I", "F")
_NO_PICTURES = (
    b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
    b"<!doctype html>",
    b"PK\x03\x04",
    b"",
)
_MOST = 2  # grey levels between a picture decoded to grey at once and by way of RGB
_ORIENTATION, _MODEL = 0x0112, 0x0110


def damaged(n: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """(format, content) of n files, the same for the same seed."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        form = FORMS[i % len(FORMS)]
        whole = _whole(form, i, rng)
        if i % 40 == 39:
            yield form, _NO_PICTURES[(i // 40) % len(_NO_PICTURES)]
        elif i % 40 == 19:
            other = _whole(FORMS[int(rng.integers(0, len(FORMS)))], i, rng)
            yield form, whole[: int(rng.integers(1, len(whole)))] + other
        else:
            yield form, whole if i % 10 == 4 else _damage(whole, rng)


@dataclass(frozen=True, slots=True)
class Seen:
    """What is made of one file: whether the check takes it, and where another place says otherwise ("" for nowhere)."""

    usable: bool
    fault: str


def read_everywhere(path: Path) -> Seen:
    """What the check, packs of three sizes and the search for copies make of a file: all take it, to the same pixels,
    or all refuse it with the same sentence. Whatever is no sentence escapes as the exception that it is.
    """
    found = read_picture(path)
    said = {}
    for name, read in (
        ("pack of 8 px", lambda: read_image(path, ImageSpec(8, "crop"))),
        ("pack of 64 px", lambda: read_image(path, ImageSpec(64, "stretch"))),
        ("pack of 224 px", lambda: read_image(path, ImageSpec(224, "crop"))),
        ("copies", lambda: read_thumbs([path], both_views=True)),
    ):
        try:
            read()
            said[name] = ""
        except BadData as e:
            said[name] = str(e)
    for name, text in said.items():
        if bool(text) != bool(found.problem) or not text.endswith(found.text):
            return Seen(not found.problem, f"check says {found.text!r}, {name} {text!r}")
    return Seen(not found.problem, "" if found.problem else _other_pixels(path.read_bytes()))


def _other_pixels(content: bytes) -> str:
    """Where the grey that is checked is not that of the colours that are trained on."""
    grey, colours = (decode(content, mode, 128) for mode in ("L", "RGB"))
    if (grey.image.size, grey.note) != (colours.image.size, colours.note):
        return f"{grey.image.size} {grey.note!r} in grey, {colours.image.size} {colours.note!r} in colours"
    rgb = np.asarray(colours.image)
    whole = ((rgb > 0) & (rgb < 255)).all(
        axis=-1
    )  # a JPEG's grey goes on where its colours are clipped
    of = (np.asarray(image.convert("L")).astype(int) for image in (grey.image, colours.image))
    most = int((np.abs(np.subtract(*of)) * whole).max())
    return f"pixels differ by {most} grey levels" if most > _MOST else ""


def _whole(form: str, i: int, rng: np.random.Generator) -> bytes:
    noise = rng.integers(0, 256, (6, 8, 3), dtype=np.uint8)
    picture = Image.fromarray(noise).resize((96, 72), Image.Resampling.BICUBIC)
    mode = _MODES[(i // len(FORMS)) % len(_MODES)]
    stream = io.BytesIO()
    options: dict[str, object] = {}
    if form in _WITH_EXIF:
        exif = Image.Exif()
        exif[_ORIENTATION] = int(rng.integers(1, 9))
        exif[_MODEL] = "a camera"
        options["exif"] = exif
    try:
        _as(picture, mode).save(stream, form, **options)
    except (OSError, KeyError, ValueError):  # no such mode in this format
        stream = io.BytesIO()
        picture.save(stream, form, **options)
    return stream.getvalue()


def _as(picture: Image.Image, mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.asarray(picture.convert("L")).astype(np.uint16) * 257)
    if mode == "LAB":  # Pillow converts to it by profiles alone; any three bytes are colours of it
        return Image.frombytes("LAB", picture.size, picture.tobytes())
    if mode in {"RGBA", "LA"}:
        picture = picture.convert(mode)
        picture.putalpha(Image.linear_gradient("L").resize(picture.size))
        return picture
    return picture.convert(mode)


def _damage(content: bytes, rng: np.random.Generator) -> bytes:
    found = bytearray(content)
    how = rng.integers(0, 5)
    # Headers and EXIF lie in front: half of the places are drawn there.
    reach = min(len(found), 400) if rng.random() < 0.5 else len(found)
    if how == 0:
        return bytes(found[: int(rng.integers(0, len(found)))])
    if how == 1:
        start = int(rng.integers(0, reach))
        found[start : start + int(rng.integers(1, 40))] = b""
        return bytes(found)
    for _ in range(int(rng.integers(1, 12)) if how < 4 else 1):
        place = int(rng.integers(0, reach))
        found[place] = int(rng.integers(0, 256))
    if how == 4:
        place = int(rng.integers(0, reach))
        found[place : place + 8] = bytes(8)
    return bytes(found[: len(content)])
