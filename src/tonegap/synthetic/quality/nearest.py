"""Nearest neighbours in feature space, to find what was memorised. Pure."""

import numpy as np
from numpy.typing import NDArray

from tonegap.synthetic.quality.features import Array

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
