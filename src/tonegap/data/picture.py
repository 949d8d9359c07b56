"""One image file read once: its hash, whether it decodes, and a small grey copy to compare.

The mistakes it exists to prevent: an HTML error page or half a download that counts as an image, and
a file that asks for gigabytes of pixels.
"""

import warnings
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from tonegap.files import sha256_bytes

MAX_PIXELS = 100_000_000
THUMBNAIL_PX = 32

NOT_AN_IMAGE = "not an image"
TOO_LARGE = "too large"
TRUNCATED = "truncated"
CORRUPT = "corrupt"
UNREADABLE = "unreadable"

# What Pillow's decoders raise for damaged content, apart from OSError.
_DAMAGE = (SyntaxError, ValueError, EOFError, IndexError, TypeError, KeyError, OverflowError)
_FLAT = 1.0  # grey levels; below this spread a picture has nothing to compare

_cosine = np.arange(THUMBNAIL_PX)
_DCT = np.cos(np.pi * (2 * _cosine[None] + 1) * np.arange(8)[:, None] / (2 * THUMBNAIL_PX))


@dataclass(frozen=True, slots=True)
class Picture:
    """What is known of a file. `problem` is "" where it decodes, else one of this module's kinds.

    `hash` and `flipped` are perceptual hashes of the picture and of its mirror image; `grey` holds
    32 × 32 bytes. Where there is a problem, or nothing to compare, they are 0 and empty.
    """

    sha256: str
    problem: str = ""
    text: str = ""
    hash: int = 0
    flipped: int = 0
    grey: bytes = b""


def read_picture(path: Path) -> Picture:
    """The picture in a file; never raises for what the file holds."""
    try:
        content = path.read_bytes()
    except OSError as e:
        return Picture("", UNREADABLE, e.strerror or "cannot be read")
    sha256 = sha256_bytes(content)
    # Pillow warns of odd metadata and of sizes that are refused below in any case.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        problem, text, grey = _decode(content)
    if grey is None:
        return Picture(sha256, problem, text)
    if float(grey.std()) < _FLAT:
        return Picture(sha256)
    pixels = grey.astype(np.uint8).tobytes()
    return Picture(
        sha256,
        hash=perceptual_hash(grey),
        flipped=perceptual_hash(grey[:, ::-1]),
        grey=pixels,
    )


def perceptual_hash(grey: NDArray[np.float32]) -> int:
    """64 bits of a [32, 32] picture: which of its 8 × 8 lowest cosine waves are above their median.

    The mean is left out of the median. Equal for copies of another size, brightness or encoding, up
    to a few bits. Source: the DCT hash of Zauner, Implementation and Benchmarking of Perceptual
    Image Hash Functions, 2010, section 3.2.1.
    """
    waves = (_DCT @ grey @ _DCT.T).ravel()
    bits = waves > np.median(waves[1:])
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def _decode(content: bytes) -> tuple[str, str, NDArray[np.float32] | None]:
    """(problem, text, grey [32, 32] or None); the whole file is decoded, or it has a problem."""
    if not content:
        return NOT_AN_IMAGE, "the file is empty", None
    try:
        with Image.open(BytesIO(content)) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                return TOO_LARGE, f"{width} × {height} pixels declared", None
            # A JPEG is decoded at a fraction of its size: all of the file is read all the same.
            image.draft("L", (4 * THUMBNAIL_PX, 4 * THUMBNAIL_PX))
            image.load()
            small = image.convert("L").resize((THUMBNAIL_PX,) * 2, Image.Resampling.LANCZOS)
            return "", "", np.asarray(small, dtype=np.float32)
    except Image.DecompressionBombError:
        return TOO_LARGE, "more pixels declared than can be decoded", None
    except UnidentifiedImageError:
        return NOT_AN_IMAGE, _what(content), None
    except (OSError, *_DAMAGE) as e:
        text = str(e) or type(e).__name__
        return TRUNCATED if "truncated" in text.lower() else CORRUPT, text, None


def _what(content: bytes) -> str:
    """What a file that is no image seems to be, from its first bytes."""
    start = content[:512].lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")) or b"<html" in start:
        return "an HTML or XML page"
    return "no known image format"
