"""Three fixed pictures, none of them square, prepared as a stage's images are: what golden vectors are made of.

The mistake it exists to prevent: a frozen backbone whose images were cropped, stretched or resized otherwise than its
golden vectors say, which leaves features that look like features.
"""

from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tonegap.data.preprocessing import prepared
from tonegap.formats.job import ImageSpec

_WIDE, _HIGH = 320, 240


def fixed_pictures() -> tuple[NDArray[np.uint8], ...]:
    """Slopes and a scatter `uint8 [240, 320, 3]`, squares `[320, 240, 3]`, all by whole-number arithmetic."""
    y, x = np.mgrid[0:_HIGH, 0:_WIDE]
    slopes = np.stack([255 * x // (_WIDE - 1), 255 * y // (_HIGH - 1), np.full_like(x, 128)], -1)
    square = ((x // 8 + y // 8) % 2)[..., None]
    squares = np.where(square == 1, np.array([200, 150, 130]), np.array([90, 60, 50]))
    scatter = (x[..., None] * 31 + y[..., None] * 17 + np.array([0, 97, 194])) ** 2 % 256
    drawn = slopes, squares.transpose(1, 0, 2), scatter
    return tuple(picture.astype(np.uint8) for picture in drawn)


def prepared_pictures(image: ImageSpec) -> NDArray[np.uint8]:
    """The fixed pictures `uint8 [3, size, size, 3]` by the way that any image file takes."""
    return np.stack([prepared(_as_png(picture), image) for picture in fixed_pictures()])


def _as_png(picture: NDArray[np.uint8]) -> bytes:
    content = BytesIO()
    Image.fromarray(picture).save(content, "PNG")
    return content.getvalue()
