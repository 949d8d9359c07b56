"""How far two sets of images are apart in feature space: Fréchet and kernel distance. Pure.

The mistake it exists to prevent: a number that says how few images there are, read as quality.
"""

from dataclasses import dataclass

import numpy as np

from tonegap.synthetic.quality.features import Array

MIN_IMAGES = 20
N_BLOCKS = 10
_MOST = 10_000  # images of a set that are compared; more are thinned out evenly


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
    real, made = thinned(real, _MOST), thinned(made, _MOST)
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
    blocks = (int(sizes[0, 0]), int(sizes[0, 1]))
    return Kid(value, float(np.sqrt(variance)), blocks)


def kernel_reason(n_real: int, n_made: int) -> str | None:
    """Why sets of these sizes have no kernel distance; None where they have one."""
    for n, what in ((n_real, "real training"), (n_made, "synthetic")):
        if n < MIN_IMAGES:
            return f"{n} {what} images; at least {MIN_IMAGES} are wanted"
    return None


def thinned(rows: Array, most: int) -> Array:
    """At most so many of the rows, evenly taken."""
    if len(rows) <= most:
        return rows
    return rows[np.linspace(0, len(rows) - 1, most).astype(np.int64)]


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
