"""Random fields over a picture whose look does not depend on the picture's size in pixels.

A field is a small random grid blown up by cubic B-splines: the grid, not the pixels, is drawn, so
an image id gives the same scene at 64 and at 224 px.
"""

import hashlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray


def stream(image_id: str, part: str) -> np.random.Generator:
    """The random numbers that one part of one image is made with.

    Each part has its own stream, so that one more number used by the hair does not move the lesion.
    """
    seed = hashlib.sha256(f"{part}\0{image_id}".encode()).digest()
    return np.random.Generator(np.random.PCG64(int.from_bytes(seed[:16], "big")))


@lru_cache(maxsize=8)
def coordinates(size_px: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """How far right (x) and down (y) every pixel's centre lies, from -1 to 1 across the picture."""
    centre = ((np.arange(size_px) + 0.5) * 2 / size_px - 1).astype(np.float32)
    y, x = np.meshgrid(centre, centre, indexing="ij")
    return x, y


@lru_cache(maxsize=64)
def _spline(size_px: int, cells: int) -> NDArray[np.float32]:
    """[size_px, cells + 3]: how much each node of a cubic B-spline adds to each pixel."""
    at = (np.arange(size_px) + 0.5) * cells / size_px
    nodes = np.arange(cells + 3) - 1
    d = np.abs(at[:, None] - nodes[None, :])
    near, far = 2 / 3 - d**2 + d**3 / 2, np.clip(2 - d, 0, None) ** 3 / 6
    weight: NDArray[np.float64] = np.where(d < 1, near, far)
    # Nodes are drawn with variance 1: this keeps the variance of the field 1 on the average.
    even: NDArray[np.float64] = weight / np.sqrt((weight**2).sum(axis=1).mean())
    return even.astype(np.float32)


def smooth_noise(
    rng: np.random.Generator, size_px: int, cells: int, n: int = 1
) -> NDArray[np.float32]:
    """`n` independent fields [n, size_px, size_px], mean 0, variance about 1, `cells` bumps across."""
    spline = _spline(size_px, cells)
    grid = rng.standard_normal((n, cells + 3, cells + 3), dtype=np.float32)
    return np.asarray(spline @ grid @ spline.T, np.float32)


def smoothstep(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """0 below 0, 1 above 1, and a rise without kinks in between."""
    t: NDArray[np.float32] = np.clip(value, 0, 1)
    return np.asarray(t * t * (3 - 2 * t), np.float32)
