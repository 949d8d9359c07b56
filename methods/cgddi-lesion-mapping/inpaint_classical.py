"""Skin painted over a lesion without any model: colour from around it, texture from elsewhere.

What diffusion inpainting does better; here for machines without a pipeline, and as its lower bound.
"""

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.errors import StageError
from tonegap_kit.masks import Mask

Float = NDArray[np.float32]

_SHIFTS = 32  # places tried for texture; the best has skin under nearly the whole hole
_TEXTURE_PX = 3.0  # finer than this is texture, coarser is colour


def inpainted(image: NDArray[np.uint8], hole: Mask, rng: np.random.Generator) -> NDArray[np.uint8]:
    """An image [h, w, 3] with its hole [h, w] filled by the colours around it and texture of its own.

    Raises StageError if the hole is the whole image.
    """
    if hole.all():
        raise StageError("the hole is the whole image: there is no skin to fill it with")
    pixels = image.astype(np.float32)
    known = (~hole).astype(np.float32)
    colour = _spread(pixels, known)
    texture = (pixels - _smooth_where(pixels, known, _TEXTURE_PX)) * known[..., None]
    filled = colour + _moved(texture, hole, rng)
    painted = np.where(hole[..., None], filled, pixels)
    return np.asarray(np.clip(np.round(painted), 0, 255), np.uint8)


def _spread(pixels: Float, known: Float) -> Float:
    """Colours everywhere: each unknown pixel from the nearest ring that knows enough."""
    result = np.zeros_like(pixels)
    missing = np.ones(known.shape, bool)
    sigma = 2.0
    while missing.any():
        weight = _smooth(known, sigma)
        enough = missing & ((weight > 0.05) | (sigma > max(known.shape)))
        found = _smooth_where(pixels, known, sigma)
        result[enough] = found[enough]
        missing &= ~enough
        sigma *= 2
    return _smooth_where(result, np.ones_like(known), _TEXTURE_PX)


def _smooth_where(pixels: Float, known: Float, sigma: float) -> Float:
    weight = np.maximum(_smooth(known, sigma), 1e-6)
    planes = [_smooth(pixels[..., c] * known, sigma) / weight for c in range(3)]
    return np.stack(planes, axis=-1)


def _smooth(plane: Float, sigma: float) -> Float:
    """PIL's blur takes planes of bytes or RGB only, so this one is its own: a Gaussian, edges mirrored."""
    radius = min(int(3 * sigma) + 1, min(plane.shape) - 1)
    at = np.arange(-radius, radius + 1)
    weights = np.exp(-0.5 * (at / sigma) ** 2)
    weights /= weights.sum()
    for axis in (0, 1):
        around = np.pad(
            plane, [(radius, radius) if a == axis else (0, 0) for a in (0, 1)], "reflect"
        )
        windows = np.lib.stride_tricks.sliding_window_view(around, len(at), axis=axis)
        plane = np.asarray(windows @ weights, np.float32)
    return plane


def _moved(texture: Float, hole: Mask, rng: np.random.Generator) -> Float:
    """The texture from the place that covers most of the hole, of a few places at random."""
    side = hole.shape
    shifts = [tuple(int(rng.integers(s)) for s in side) for _ in range(_SHIFTS)]
    gaps = [int((np.roll(hole, shift, (0, 1)) & hole).sum()) for shift in shifts]
    best = shifts[int(np.argmin(gaps))]
    return np.roll(texture, best, (0, 1))
