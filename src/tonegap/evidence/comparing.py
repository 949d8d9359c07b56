"""Entries against each other, on the same draws of the same images.

The mistake it exists to prevent: a rank between two entries that the test set cannot tell apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtrit

from tonegap.evidence.intervals import LEVEL
from tonegap.score.arrays import FloatArray

ALPHA = 1 - LEVEL


@dataclass(frozen=True, slots=True)
class Paired:
    """One entry's score minus another's: as measured, its interval, and the chance of such a one.

    `p` is two-sided: how likely a difference at least as large is where there is none.
    """

    difference: float
    low: float
    high: float
    p: float


def paired(a: FloatArray, b: FloatArray, difference: float, level: float = LEVEL) -> Paired | None:
    """The difference `a - b` over draws [draws] of the same images; None if draws are undefined.

    The draws tell how much the difference varies, not where it lies: a worst tone or a gap is biased
    in each draw, and what is left of that after the subtraction is taken out.
    Source: Efron and Tibshirani 1993, section 16.4.
    """
    drawn = a - b
    drawn = drawn[np.isfinite(drawn)]
    if len(drawn) < LEVEL * len(a):
        return None
    noise = drawn - drawn.mean()
    tail = (1 - level) / 2
    low, high = np.quantile(noise, [tail, 1 - tail])
    as_large = np.abs(noise) >= abs(difference) - 1e-12
    p = (1 + int(as_large.sum())) / (1 + len(noise))
    return Paired(difference, difference - float(high), difference - float(low), p)


def few_images(draws: FloatArray, n_units: int) -> FloatArray:
    """The draws with the noise that the mean of so few units has, [draws].

    Draws with replacement vary too little, by (n - 1) / n, and do not know that their own variance is
    measured on n units; both are what Student's t is for. Source: Efron and Tibshirani 1993, section 12.4.
    """
    n = max(n_units, 2)
    factor = np.sqrt(n / (n - 1)) * stdtrit(n - 1, (1 + LEVEL) / 2) / ndtri((1 + LEVEL) / 2)
    middle = draws[np.isfinite(draws)].mean() if np.isfinite(draws).any() else 0.0
    wider: FloatArray = middle + factor * (draws - middle)
    return wider


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """The p-values corrected for being several, in their order. Source: Holm 1979."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    corrected = [0.0] * len(p)
    largest = 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - place) * p[i]))
        corrected[i] = largest
    return tuple(corrected)


Statistic = Callable[[FloatArray], FloatArray]


def worst_of(larger_is_better: bool) -> Statistic:
    """The worst tone's score of each draw, [draws, tones] into [draws]."""
    return (lambda x: x.min(axis=1)) if larger_is_better else (lambda x: x.max(axis=1))
