"""Makes the square array that a stage is given of an image file: decoded, cut or stretched, resized.

The mistake it exists to prevent: images, masks and golden pictures of a stage that are resized by different rules.
"""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tonegap.data.decode import BadPicture, decode, read_bytes
from tonegap.errors import BadData
from tonegap.formats.job import ImageSpec


def read_image(path: Path, image: ImageSpec) -> NDArray[np.uint8]:
    """RGB `[size, size, 3]` of an image file, upright, by the geometry. Raises BadData."""
    try:
        return prepared(read_bytes(path), image)
    except BadPicture as e:
        raise BadData(f"{path}: not a readable image: {e.text}") from None


def prepared(content: bytes, image: ImageSpec) -> NDArray[np.uint8]:
    """The same of a file's content. Raises BadPicture."""
    # JPEG decodes at a fraction of its size where that is still twice what is wanted.
    upright = decode(content, "RGB", image.size_px * 2).image
    return np.asarray(square(upright, image, Image.Resampling.BILINEAR))


def square(
    upright: Image.Image,
    image: ImageSpec,
    filter_: Image.Resampling,
    shown: tuple[int, int] | None = None,
) -> Image.Image:
    """A picture by the geometry; `shown`: width and height that it was stretched from (default: its own)."""
    size = (image.size_px, image.size_px)
    if image.geometry == "stretch":
        return upright.resize(size, filter_)
    wide, high = shown or upright.size
    side = min(wide, high)
    left, top = (wide - side) / 2, (high - side) / 2
    x, y = upright.width / wide, upright.height / high
    return upright.resize(
        size, filter_, box=(left * x, top * y, (left + side) * x, (top + side) * y)
    )
