"""Radiomic features of pictures: first-order statistics of grey values, and texture of a co-occurrence matrix. Pure.

The mistake they exist to prevent: quality that is only known through a network that nobody trained on skin.
Sources: Haralick et al. 1973, IEEE Transactions on Systems, Man and Cybernetics 3(6), for texture; names and formulas
as the Image Biomarker Standardisation Initiative has them, Zwanenburg et al. 2020, Radiology 295(2).
"""

import numpy as np
from numpy.typing import NDArray

from tonegap.synthetic.quality.features import Array

NAMES = (
    "mean", "standard deviation", "skewness", "kurtosis", "10 % quantile", "90 % quantile", "entropy", "uniformity",
    "contrast", "dissimilarity", "inverse difference moment", "joint energy", "joint entropy", "correlation",
)  # fmt: skip
_LEVELS = 16  # of grey, each 16 values wide, the same for all images
_BATCH = 256
# Neighbours one pixel to the right, below, and on both diagonals: (first, second) as slices of rows and columns.
_ALL, _LATER, _EARLIER = slice(None), slice(1, None), slice(None, -1)
_NEIGHBOURS = (
    ((_ALL, _EARLIER), (_ALL, _LATER)),
    ((_EARLIER, _ALL), (_LATER, _ALL)),
    ((_EARLIER, _EARLIER), (_LATER, _LATER)),
    ((_EARLIER, _LATER), (_LATER, _EARLIER)),
)


def radiomic_features(images: NDArray[np.uint8]) -> Array:
    """The features `NAMES` of images [n, h, w, 3], [n, 14]; grey is the mean of red, green and blue, 0 to 255.

    An image of one grey has a skewness and a kurtosis of 0 and a correlation of 1.
    """
    parts = [_features(images[at : at + _BATCH]) for at in range(0, len(images), _BATCH)]
    return np.concatenate(parts) if parts else np.empty((0, len(NAMES)))


def _features(images: NDArray[np.uint8]) -> Array:
    grey = images.astype(np.float64).mean(axis=-1)
    levels = (grey * (_LEVELS / 256)).astype(np.int64)
    return np.column_stack([*_first_order(grey, levels), *_texture(levels)])


def _first_order(grey: Array, levels: NDArray[np.int64]) -> list[Array]:
    n = len(grey)
    flat = grey.reshape(n, -1)
    away = flat - flat.mean(axis=1, keepdims=True)
    sd = np.sqrt((away**2).mean(axis=1))
    some = np.maximum(sd, 1e-9)
    low, high = np.quantile(flat, [0.1, 0.9], axis=1)
    shares = _counted(levels.reshape(n, -1), _LEVELS)
    moments = [(away**power).mean(axis=1) / some**power for power in (3, 4)]
    return [
        flat.mean(axis=1), sd, *moments, low, high, _entropy(shares), (shares**2).sum(axis=1)
    ]  # fmt: skip


def _texture(levels: NDArray[np.int64]) -> list[Array]:
    """Six numbers of the co-occurrence matrix [n, 16, 16] of all four directions at one pixel, either way round."""
    n = len(levels)
    pairs = [
        (levels[:, *one] * _LEVELS + levels[:, *other]).reshape(n, -1) for one, other in _NEIGHBOURS
    ]
    p = _counted(np.concatenate(pairs, axis=1), _LEVELS**2).reshape(n, _LEVELS, _LEVELS)
    p = (p + p.transpose(0, 2, 1)) / 2
    i, j = np.indices((_LEVELS, _LEVELS))
    margin, grades = p.sum(axis=2), np.arange(_LEVELS)
    mean = margin @ grades
    variance = margin @ grades**2 - mean**2
    shared = (p * (i * j)).sum(axis=(1, 2)) - mean**2
    flat = variance < 1e-12
    correlation = np.where(flat, 1.0, shared / np.where(flat, 1.0, variance))
    weights = ((i - j) ** 2, np.abs(i - j), 1 / (1 + (i - j) ** 2))
    return [
        *((p * weight).sum(axis=(1, 2)) for weight in weights),
        (p**2).sum(axis=(1, 2)),
        _entropy(p.reshape(n, -1)),
        correlation,
    ]


def _counted(codes: NDArray[np.int64], n_codes: int) -> Array:
    """The share of each code 0 to n_codes - 1 in each row, [n, n_codes]."""
    rows = np.arange(len(codes))[:, None] * n_codes
    counts = np.bincount((codes + rows).ravel(), minlength=len(codes) * n_codes)
    shares: Array = counts.reshape(len(codes), n_codes) / codes.shape[1]
    return shares


def _entropy(shares: Array) -> Array:
    """In bits, of each row."""
    found: Array = -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(axis=1)
    return found
