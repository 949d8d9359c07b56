"""Reads one image file once: its hash, whether it decodes, and a small grey copy to compare.

The mistakes it exists to prevent: an HTML error page or half a download that counts as an image, and
a file that asks for gigabytes of pixels.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tonegap.data.decode import BadPicture, decode, is_turned, read_bytes
from tonegap.files import sha256_bytes

THUMBNAIL_PX = 32

TURNED = "turned upright as its EXIF says"
_FLAT = 1.0  # grey levels; below this spread a picture has nothing to compare

_cosine = np.arange(THUMBNAIL_PX)
_DCT = np.cos(np.pi * (2 * _cosine[None] + 1) * np.arange(8)[:, None] / (2 * THUMBNAIL_PX))


@dataclass(frozen=True, slots=True)
class PictureFacts:
    """What is known of a file. `problem` is "" where it decodes, else one of the kinds in `tonegap.data.decode`.

    `hash` and `flipped` are perceptual hashes of the picture and of its mirror image; `grey` holds
    32 × 32 bytes. Where there is a problem, or nothing to compare, they are 0 and empty. `note`: what was
    done to the pixels of a usable picture that a person should know, "" for nothing.
    """

    sha256: str
    problem: str = ""
    text: str = ""
    hash: int = 0
    flipped: int = 0
    grey: bytes = b""
    note: str = ""


def read_picture(path: Path) -> PictureFacts:
    """The picture in a file; never raises for what the file holds."""
    try:
        content = read_bytes(path)
    except BadPicture as e:
        return PictureFacts("", e.kind, e.text)
    sha256 = sha256_bytes(content)
    try:
        # A JPEG is decoded at a fraction of its size: all of the file is read all the same.
        decoded = decode(content, "L", 4 * THUMBNAIL_PX)
        turned = TURNED if is_turned(content) else ""
    except BadPicture as e:
        return PictureFacts(sha256, e.kind, e.text)
    note = "; ".join(filter(None, (turned, decoded.note)))
    small = decoded.image.resize((THUMBNAIL_PX,) * 2, Image.Resampling.LANCZOS)
    grey = np.asarray(small, dtype=np.float32)
    if float(grey.std()) < _FLAT:
        return PictureFacts(sha256, note=note)
    return PictureFacts(
        sha256,
        hash=perceptual_hash(grey),
        flipped=perceptual_hash(grey[:, ::-1]),
        grey=grey.astype(np.uint8).tobytes(),
        note=note,
    )


def perceptual_hash(grey: NDArray[np.float32]) -> int:
    """64 bits of a [32, 32] picture: which of its 8 × 8 lowest cosine waves are above their median.

    The mean is left out of the median. Equal for copies of another size, brightness or encoding, up
    to a few bits. Source: the DCT hash of Zauner, Implementation and Benchmarking of Perceptual
    Image Hash Functions, 2010, section 3.2.1.
    """
    waves = (_DCT @ grey @ _DCT.T).ravel()
    return int.from_bytes(np.packbits(waves > np.median(waves[1:])).tobytes(), "big")
