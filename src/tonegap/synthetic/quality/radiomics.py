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
_SUMS = 768  # of red, green and blue, from 0 on; a grey is a third of it
_BATCH = 64
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
    sums = images[..., 0].astype(np.intp) + images[..., 1] + images[..., 2]
    return np.column_stack([*_first_order(sums), *_texture(sums // (_SUMS // _LEVELS))])


def _first_order(sums: NDArray[np.intp]) -> list[Array]:
    """Eight numbers of the distribution of greys; a quantile is the least grey that so many pixels do not exceed."""
    shares = _counted(sums.reshape(len(sums), -1), _SUMS)
    greys = np.arange(_SUMS) / 3
    mean, square, cube, fourth = (shares @ greys**power for power in (1, 2, 3, 4))
    variance = np.maximum(square - mean**2, 0)
    sd = np.where(variance > 1e-6, np.sqrt(variance), 0)
    some = np.where(sd > 0, sd, 1)
    skewness = (cube - 3 * mean * square + 2 * mean**3) / some**3
    kurtosis = (fourth - 4 * mean * cube + 6 * mean**2 * square - 3 * mean**4) / some**4
    below = shares.cumsum(axis=1)
    low, high = ((below < share - 1e-9).sum(axis=1) / 3 for share in (0.1, 0.9))
    levels = shares.reshape(len(shares), _LEVELS, -1).sum(axis=2)
    moments = [np.where(sd > 0, moment, 0) for moment in (skewness, kurtosis)]
    return [mean, sd, *moments, low, high, _entropy(levels), (levels**2).sum(axis=1)]


def _texture(levels: NDArray[np.intp]) -> list[Array]:
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


def _counted(codes: NDArray[np.intp], n_codes: int) -> Array:
    """The share of each code 0 to n_codes - 1 in each row, [n, n_codes]."""
    rows = np.arange(len(codes))[:, None] * n_codes
    counts = np.bincount((codes + rows).ravel(), minlength=len(codes) * n_codes)
    shares: Array = counts.reshape(len(codes), n_codes) / codes.shape[1]
    return shares


def _entropy(shares: Array) -> Array:
    """In bits, of each row."""
    found: Array = -(shares * np.log2(np.where(shares > 0, shares, 1))).sum(axis=1)
    return found
