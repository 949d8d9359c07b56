"""Distances in feature space: between two sets, within one, and to the nearest image. Pure.

The mistake it exists to prevent: a number that says how few images there are, read as quality.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonegap.synthetic.quality.features import Array

Rows = NDArray[np.intp]
MIN_IMAGES = 20
N_BLOCKS = 10
NEIGHBOURS = 5
_MOST = 10_000  # images of a set that are compared; more are sampled evenly


@dataclass(frozen=True, slots=True)
class Kid:
    """A kernel distance with its standard error; `blocks` are the images per block of real and made."""

    value: float
    standard_error: float
    blocks: tuple[int, int]


def frechet_distance(real: Array, made: Array) -> float:
    """Fréchet distance between normal distributions fitted to features [n, d] and [m, d].

    Biased upwards by small sets; each must have more rows than there are features, or its covariance
    has no full rank (see `frechet_reason`).

    Source: Heusel et al. 2017, arXiv 1706.08500; the trace of the root by eigenvalues of a symmetric matrix.
    """
    root = _root(np.cov(real, rowvar=False).reshape(real.shape[1], -1))
    other = np.cov(made, rowvar=False).reshape(made.shape[1], -1)
    between = np.linalg.eigvalsh(root @ other @ root)
    spread = np.trace(root @ root) + np.trace(other) - 2 * np.sqrt(np.maximum(between, 0)).sum()
    shift = real.mean(axis=0) - made.mean(axis=0)
    return float(shift @ shift + spread)


def frechet_reason(n_real: int, n_made: int, n_features: int) -> str | None:
    """Why sets of these sizes have no Fréchet distance; None where they have one."""
    for n, what in ((n_real, "real training"), (n_made, "synthetic")):
        if n <= n_features:
            return (
                f"{n:,} {what} images for {n_features:,} features; a covariance needs more "
                "images than features"
            )
    return None


def kernel_distance(real: Array, made: Array) -> Kid:
    """Squared maximum mean discrepancy of features [n, d] and [m, d]; unbiased, so it may be negative.

    Kernel (x·y / d + 1)³. The value uses all images; the standard error is a jackknife that leaves
    out one of ten blocks of both sets at a time (every tenth image is a block).

    Source: Bińkowski et al. 2018, arXiv 1801.01401, section 4; block jackknife: Künsch 1989.
    """
    real, made = subsample(real, _MOST), subsample(made, _MOST)
    within_real, within_made = _block_sums(real, real, True), _block_sums(made, made, True)
    between = _block_sums(real, made, False)
    sizes = np.array([[len(real[i::N_BLOCKS]), len(made[i::N_BLOCKS])] for i in range(N_BLOCKS)])
    n = sizes.sum(axis=0)
    value = _discrepancy(within_real.sum(), within_made.sum(), between.sum(), n)
    without = [
        _discrepancy(_left(within_real, i), _left(within_made, i), _left(between, i), n - sizes[i])
        for i in range(N_BLOCKS)
    ]
    variance = (N_BLOCKS - 1) * float(np.var(without))
    return Kid(value, float(np.sqrt(variance)), (int(sizes[0, 0]), int(sizes[0, 1])))


def kernel_reason(n_real: int, n_made: int) -> str | None:
    """Why sets of these sizes have no kernel distance; None where they have one."""
    for n, what in ((n_real, "real training"), (n_made, "synthetic")):
        if n < MIN_IMAGES:
            return f"{n} {what} images; at least {MIN_IMAGES} are wanted"
    return None


def jackknifed(n_real: int, n_made: int, value_of: Callable[[Rows, Rows], Any]) -> Array:
    """Standard errors of what `value_of` gives of rows of two sets: a jackknife of ten blocks, every tenth row one.

    A block of both sets is left out at a time. Source: Künsch 1989, Annals of Statistics 17(3).
    """
    blocks = np.arange(n_real) % N_BLOCKS, np.arange(n_made) % N_BLOCKS
    values = [value_of(*(np.flatnonzero(of != i) for of in blocks)) for i in range(N_BLOCKS)]
    errors: Array = np.sqrt((N_BLOCKS - 1) * np.var(values, axis=0))
    return errors


def density_and_coverage(real: Array, made: Array) -> tuple[Array, Array]:
    """Density and coverage of real features [n, d] by synthetic ones [m, d], and their standard errors, [2] each.

    Density: how many synthetic images lie within the fifth neighbour of a real one, in the mean over real ones, over
    5 m / n. Coverage: the share of real images with at least one. Source: Naeem et al. 2020, arXiv 2002.09797,
    equations 4 and 5, k = 5.
    """
    within, between = _squared(real, real), _squared(real, made)
    np.fill_diagonal(within, np.inf)

    def found(ours: Rows, theirs: Rows) -> Array:
        reach = np.partition(within[np.ix_(ours, ours)], NEIGHBOURS - 1)[:, NEIGHBOURS - 1]
        inside = between[np.ix_(ours, theirs)] < reach[:, None]
        return np.array([inside.sum() / (NEIGHBOURS * len(theirs)), inside.any(axis=1).mean()])

    n, m = len(real), len(made)
    return found(np.arange(n), np.arange(m)), jackknifed(n, m, found)


def expected_coverage(n_real: int, n_made: int) -> float:
    """The coverage that new images of the same kind have in the mean.

    Source: Naeem et al. 2020, appendix: the nearest five of n - 1 + m others are all real.
    """
    i = np.arange(NEIGHBOURS)
    return float(1 - np.prod((n_real - 1 - i) / (n_real + n_made - 1 - i)))


def _squared(a: Array, b: Array) -> Array:
    """Squared Euclidean distances between rows, [n, m]."""
    found: Array = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None] - 2 * (a @ b.T)
    return np.maximum(found, 0)


def subsample(rows: NDArray[Any], most: int) -> NDArray[Any]:
    """At most so many of the rows, evenly taken."""
    return rows if len(rows) <= most else rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


def _root(matrix: Array) -> Array:
    """The symmetric square root of a positive semidefinite matrix."""
    values, vectors = np.linalg.eigh(matrix)
    root: Array = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root


def _block_sums(one: Array, other: Array, is_same: bool) -> Array:
    """Sums of the kernel over pairs of blocks [10, 10]; an image is not paired with itself."""
    sums = np.zeros((N_BLOCKS, N_BLOCKS))
    for i in range(N_BLOCKS):
        for j in range(N_BLOCKS):
            kernel = (one[i::N_BLOCKS] @ other[j::N_BLOCKS].T / one.shape[1] + 1) ** 3
            sums[i, j] = kernel.sum() - (np.trace(kernel) if is_same and i == j else 0)
    return sums


def _left(sums: Array, i: int) -> float:
    """The sum over all pairs of blocks without block i."""
    return float(sums.sum() - sums[i].sum() - sums[:, i].sum() + sums[i, i])


def _discrepancy(
    real: float, made: float, between: float, n: "np.ndarray[tuple[int], np.dtype[np.int64]]"
) -> float:
    a, b = int(n[0]), int(n[1])
    return float(real / (a * (a - 1)) + made / (b * (b - 1)) - 2 * between / (a * b))


_MOST_PAIRED = 2000  # of a set whose images are held against each other


def mean_pairwise_distance(x: Array) -> float | None:
    """Mean Euclidean distance between two images of features [n, d]; None for fewer than two.

    Does not depend on n but for chance. Source: as the mean distance within clusters of Ojha et al. 2021,
    arXiv 2104.06820, with the distance in feature space instead of LPIPS.
    """
    if len(x) < 2:
        return None
    x = subsample(x, _MOST_PAIRED)
    squares = (x * x).sum(axis=1)
    squared = squares[:, None] + squares[None] - 2 * (x @ x.T)
    np.fill_diagonal(squared, 0)  # what rounding leaves there would have a root
    return float(np.sqrt(np.maximum(squared, 0)).sum() / (len(x) * (len(x) - 1)))


def vendi_score(x: Array, middle: Array) -> float | None:
    """The effective number of different images in features [n, d], 1 to n; None without any.

    Exponential of the entropy of the eigenvalues of K / n, where K is the cosine similarity after
    subtracting `middle` [d] (of the real images: raw activations all point one way). It grows with
    n, so only sets of one size can be compared.

    Source: Friedman and Dieng 2023, arXiv 2210.02410, equation 2.
    """
    x = x - middle
    lengths = np.sqrt((x * x).sum(axis=1))
    x = x[lengths > 0] / lengths[lengths > 0, None]
    if not len(x):
        return None
    # Both products have the same eigenvalues but for zeros.
    gram = x.T @ x if x.shape[1] < len(x) else x @ x.T
    shares = np.linalg.eigvalsh(gram / len(x))
    shares = shares[shares > 1e-12]
    return float(np.exp(-(shares * np.log(shares)).sum()))


_AT_ONCE = 1024


def nearest_rows(of: Array, among: Array, is_same: bool) -> tuple[NDArray[np.int64], Array]:
    """Index of and distance to the row of `among` [m, d] that is nearest to each row of `of` [n, d].

    `is_same`: both are one set, and a row is not its own neighbour.
    """
    squares = (among * among).sum(axis=1)
    found = np.empty(len(of), np.int64)
    for start in range(0, len(of), _AT_ONCE):
        rows = of[start : start + _AT_ONCE]
        # The square of the row itself moves no minimum.
        squared = squares[None] - 2 * (rows @ among.T)
        if is_same:
            squared[np.arange(len(rows)), np.arange(start, start + len(rows))] = np.inf
        found[start : start + len(rows)] = squared.argmin(axis=1)
    # Anew by subtraction: in the form above equal rows would not be 0 apart.
    away = of - among[found]
    return found, np.sqrt((away * away).sum(axis=1))
