"""A picture that somebody else made, as pixels: upright, 8 bits, on white, by the engine's own rule.

The mistake it exists to prevent: a decoder that starts another program, and colours that no viewer shows.
"""

import warnings
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tonegap_kit.errors import StageError

FORMATS = ("JPEG", "PNG", "BMP", "DIB", "GIF", "TIFF", "WEBP", "AVIF", "JPEG2000", "PPM")
# What files of these formats are called.
SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
    *(".webp", ".avif", ".avifs", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
)
_LEAST_16, _LEVELS_16 = 16_384, 65_535
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def read_picture(path: Path) -> NDArray[np.uint8]:
    """`uint8 [h, w, 3]` of an image file. Raises StageError for none, or for levels without a known range."""
    try:
        # From memory: a TIFF that Pillow maps from its path is not turned. What it warns of, it goes on with.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(path.read_bytes()), formats=FORMATS) as opened:
                opened.load()
                return np.asarray(_upright(_plain(opened, path), opened))
    except (
        OSError,
        SyntaxError,
        ValueError,
        LookupError,
        TypeError,
        AttributeError,
        ArithmeticError,
        RuntimeError,
        Image.DecompressionBombError,
    ) as problem:
        raise StageError(f"{path.name}: not a readable image: {problem}") from None


def _plain(opened: Image.Image, path: Path) -> Image.Image:
    """The picture in RGB: transparent parts on white, 16-bit grey scaled."""
    if opened.mode.startswith("I;") or (opened.mode == "I" and opened.format == "PPM"):
        levels = np.asarray(opened).astype(np.int64)
        if levels.max() >= _LEAST_16:
            eight = ((levels * 255 + _LEVELS_16 // 2) // _LEVELS_16).astype(np.uint8)
            return Image.fromarray(eight).convert("RGB")
    if opened.mode[0] in "IF":
        raise StageError(f"{path.name}: its levels have no known range; save it in 8 bits")
    if opened.has_transparency_data:
        ground = Image.new("RGBA", opened.size, "white")
        return Image.alpha_composite(ground, opened.convert("RGBA")).convert("RGB")
    return opened.convert("RGB")


def _upright(plain: Image.Image, opened: Image.Image) -> Image.Image:
    """The picture turned as its EXIF says; as it is where that cannot be read."""
    try:
        orientation = opened.getexif().get(0x0112, 1)
    except (OSError, SyntaxError, ValueError, LookupError, TypeError, AttributeError):
        return plain
    return plain.transpose(_TURNS[orientation]) if orientation in _TURNS else plain
