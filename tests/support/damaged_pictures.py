"""Picture files of eight formats, damaged at random: bytes changed, cut off, blanked, in the middle or in the EXIF."""

import io
from collections.abc import Iterator

import numpy as np
from PIL import Image

FORMS = ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP", "AVIF", "PPM")
_WITH_EXIF = frozenset({"JPEG", "PNG", "TIFF", "WEBP", "AVIF"})
_MODES = ("RGB", "L", "RGBA", "P", "1", "CMYK", "I;16", "LA")
_ORIENTATION, _MODEL = 0x0112, 0x0110


def damaged(n: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """(format, content) of n files, the same for the same seed."""
    rng = np.random.default_rng(seed)
    for i in range(n):
        form = FORMS[i % len(FORMS)]
        yield form, _damage(_whole(form, i, rng), rng)


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
