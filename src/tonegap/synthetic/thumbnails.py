"""Small grey copies of images, to be compared: `uint8 [n, 64, 64]`.

A photograph that is not square is looked at twice, squeezed to a square and cut to one, for a copy of it may be either.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tonegap.data.decode import BadPicture, decode, read_bytes
from tonegap.errors import BadData

SIDE = 64
_THREADS = 4  # decoding releases the interpreter's lock
_NEARLY_SQUARE = 1.05


@dataclass(frozen=True, slots=True)
class Thumbs:
    """Grey copies and, for each, the position of its image: one image may have two."""

    grey: NDArray[np.uint8]
    image: NDArray[np.int64]


def read_thumbs(paths: Sequence[Path], *, both_views: bool) -> Thumbs:
    """The grey copies of image files, in order; with `both_views` two of each that is not square.

    Raises BadData for a file that is no readable image.
    """
    with ThreadPoolExecutor(_THREADS) as pool:
        found = list(pool.map(_views, paths))
    grey, image = [], []
    for i, views in enumerate(found):
        for view in views if both_views else views[:1]:
            grey.append(view)
            image.append(i)
    stacked = np.stack(grey) if grey else np.empty((0, SIDE, SIDE), np.uint8)
    return Thumbs(stacked, np.array(image, np.int64))


def _views(path: Path) -> list[NDArray[np.uint8]]:
    """The whole picture squeezed to a square and, unless it is nearly one, its middle square."""
    try:
        upright = decode(read_bytes(path), "L", 4 * SIDE).image
    except BadPicture as e:
        raise BadData(f"{path}: not a readable image: {e.text}") from None
    views = [_small(upright, (0.0, 0.0, *upright.size))]
    side = min(upright.size)
    if max(upright.size) > _NEARLY_SQUARE * side:
        left, top = (upright.width - side) / 2, (upright.height - side) / 2
        views.append(_small(upright, (left, top, left + side, top + side)))
    return views


def _small(image: Image.Image, box: tuple[float, float, float, float]) -> NDArray[np.uint8]:
    larger = min(image.size) > SIDE
    how = Image.Resampling.BOX if larger else Image.Resampling.BILINEAR
    return np.asarray(image.resize((SIDE, SIDE), how, box=box), dtype=np.uint8)
