"""A picture that somebody else made, as pixels: upright, 8 bits, on white, by the engine's own rule.

The rule is that of the engine's `data/decode.py`, which a stage cannot import; tests open the same files with both and
want the same pixels, or a refusal by both. The mistakes it exists to prevent: a decoder that starts another program,
colours that no viewer shows, and a set whose audit sees other pixels than training.
"""

import re
import struct
import warnings
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from tonegap_kit.errors import StageError

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM")
MAX_PIXELS = 100_000_000
MAX_BYTES = 512 << 20
_LEAST_16, _LEVELS_16, _WHITE = 16_384, 65_535, 255
_MOST_PIXELS = 0.999  # tell the brightest level, a few hot pixels do not
_ORIENTATION = 0x0112
_DEPTHS, _PHOTOMETRIC, _PLANES, _SIGNS = 258, 262, 284, 339  # tags of a TIFF
_PAGE_IS, _OLD_PAGE_IS, _INNER_PAGES = 254, 255, 330
_SIZE_OF_J2K = b"\xff\x4f\xff\x51"  # start and size marker of a JPEG 2000 codestream
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# What Pillow raises for damaged content.
_DAMAGE = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, AttributeError),
    *(AssertionError, ArithmeticError, RuntimeError, MemoryError, BufferError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)


def read_picture(path: Path) -> NDArray[np.uint8]:
    """`uint8 [h, w, 3]` of an image file, the first picture in it.

    Raises StageError for a file that is no image or does not decode whole, that is too large, shows nothing, or whose
    levels have no known range.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise ValueError(f"more than {MAX_BYTES >> 20} MiB")
        content = path.read_bytes()
        # From memory: a TIFF that Pillow maps from its path is not turned. What it warns of, it goes on with.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(content), formats=FORMATS) as opened:
                _turn_to_picture(opened)
                if opened.width * opened.height > MAX_PIXELS or not all(opened.size):
                    raise ValueError(f"{opened.width} × {opened.height} pixels declared")
                opened.load()
                turn = _orientation(opened)
                _check_depth(opened, content)
                plain = _plain(opened, content)
                return np.asarray(plain.transpose(_TURNS[turn]) if turn in _TURNS else plain)
    except _DAMAGE as problem:
        raise StageError(f"{path.name}: not a readable image: {problem}") from None


def _turn_to_picture(opened: Image.Image) -> None:
    """To the first page of a TIFF that is no smaller copy and no mask of another."""
    if not isinstance(opened, TiffImageFile):
        return
    for page in range(opened.n_frames):
        opened.seek(page)
        copy_or_mask = opened.tag_v2.get(_PAGE_IS, 0) & 5 or opened.tag_v2.get(_OLD_PAGE_IS) == 2
        if not copy_or_mask:
            return
    if opened.n_frames > 1 or _INNER_PAGES in opened.tag_v2:
        raise ValueError("all pages of the TIFF are marked as smaller copies or masks")


def _orientation(opened: Image.Image) -> int:
    """As its EXIF says; upright where that cannot be read."""
    try:
        value = opened.getexif().get(_ORIENTATION, 1)
    except _DAMAGE:
        return 1
    return value if isinstance(value, int) else 1


def _check_depth(opened: Image.Image, content: bytes) -> None:
    """Refuses signed levels, and 16-bit colour or alpha whose high byte, which Pillow keeps, would be near black."""
    tags = opened.tag_v2 if isinstance(opened, TiffImageFile) else {}
    if 2 in tags.get(_SIGNS, ()):
        raise ValueError("signed levels have no known range; save it in 8 bits")
    channels = opened.getbands()
    if len(channels) == 1 or _top(opened, content) <= _WHITE:
        return
    if tags.get(_PLANES) == 2 or (opened.format == "PNG" and "transparency" in opened.info):
        raise ValueError("16-bit colour in planes or with a transparent one; save it in 8 bits")
    highest = {name: _brightest(np.asarray(opened.getchannel(name))) for name in channels}
    alpha = highest.pop("A", _WHITE) or _WHITE
    if min(max(highest.values()), alpha) < _LEAST_16 >> 8:
        raise ValueError("16-bit colour or alpha of a quarter of its range; save it in 8 bits")


def _top(opened: Image.Image, content: bytes) -> int:
    """The highest level that a file declares, where its format may have more than 8 bits that Pillow cuts; else 255."""
    if opened.format == "PPM":
        words = re.sub(rb"#[^\r\n]*", b" ", content[:65_536]).split()
        return int(words[3]) if words[0] in (b"P2", b"P3", b"P5", b"P6") else _WHITE
    bits = 8
    if opened.format == "PNG":
        bits = content[24]
    elif isinstance(opened, TiffImageFile):
        bits = int(max(opened.tag_v2.get(_DEPTHS, (8,))))
    elif opened.format == "JPEG2000" and (start := content.find(_SIZE_OF_J2K)) >= 0:
        bits = (content[start + 42] & 0x7F) + 1
    return (1 << max(bits, 8)) - 1


def _brightest(levels: NDArray[np.integer]) -> int:
    return int(np.quantile(levels, _MOST_PIXELS, method="lower")) if levels.size else 0


def _plain(opened: Image.Image, content: bytes) -> Image.Image:
    """The picture in RGB: transparent parts on white, 16-bit grey scaled."""
    if opened.mode.startswith("I;") or (opened.mode == "I" and opened.format == "PPM"):
        return _scaled(opened)
    if opened.mode in {"I", "F"}:
        raise ValueError("its levels have no known range; save it in 8 bits")
    level = opened.info.get("transparency")
    if opened.format == "PNG" and opened.mode == "L" and isinstance(level, int):
        # Of 2 or 4 bits Pillow scales the levels alone, and not which of them is transparent.
        opened.info["transparency"] = level * (_WHITE // ((1 << content[24]) - 1))
    if not opened.has_transparency_data:
        return opened.convert("RGB")
    seen = opened.convert("LA").convert("RGBA") if opened.mode == "La" else opened.convert("RGBA")
    if seen.getchannel("A").getextrema()[1] == 0:
        raise ValueError("every pixel is transparent")
    ground = Image.new("RGBA", seen.size, "white")
    return Image.alpha_composite(ground, seen).convert("RGB")


def _scaled(opened: Image.Image) -> Image.Image:
    """16-bit grey in 8 bits, on white; refused where the levels use a quarter of the range."""
    levels = np.asarray(opened).astype(np.int64)
    seen = levels != opened.info.get("transparency", -1)
    if not seen.any():
        raise ValueError("every pixel is transparent")
    if _brightest(levels[seen]) < _LEAST_16 or levels.min() < 0 or levels.max() > _LEVELS_16:
        raise ValueError("its levels have no known range; save it in 8 bits")
    if isinstance(opened, TiffImageFile) and opened.tag_v2.get(_PHOTOMETRIC) == 0:
        levels = _LEVELS_16 - levels  # white is 0, which Pillow turns over in 8 bits alone
    levels[~seen] = _LEVELS_16
    grey = ((levels * _WHITE + _LEVELS_16 // 2) // _LEVELS_16).astype(np.uint8)
    return Image.fromarray(grey).convert("RGB")
