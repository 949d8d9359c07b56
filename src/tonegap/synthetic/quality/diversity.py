"""How different the images of a set are from each other. Pure."""

import numpy as np

from tonegap.synthetic.quality.distance import thinned
from tonegap.synthetic.quality.features import Array

_MOST = 2000


def mean_pairwise_distance(x: Array) -> float | None:
    """Mean Euclidean distance between two images of features [n, d]; None for fewer than two.

    Does not depend on n but for chance. Source: as the mean distance within clusters of Ojha et al. 2021,
    arXiv 2104.06820, with the distance in feature space instead of LPIPS.
    """
    if len(x) < 2:
        return None
    x = thinned(x, _MOST)
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
