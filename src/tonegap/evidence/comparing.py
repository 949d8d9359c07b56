"""Entries against each other, on the same draws of the same images.

The mistake it exists to prevent: a rank between two entries that the test set cannot tell apart.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from tonegap.evidence.intervals import LEVEL
from tonegap.score.arrays import FloatArray

ALPHA = 1 - LEVEL
T = TypeVar("T")


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


def holm(p: Sequence[float]) -> tuple[float, ...]:
    """The p-values corrected for being several, in their order. Source: Holm 1979."""
    order = sorted(range(len(p)), key=lambda i: p[i])
    corrected = [0.0] * len(p)
    largest = 0.0
    for place, i in enumerate(order):
        largest = max(largest, min(1.0, (len(p) - place) * p[i]))
        corrected[i] = largest
    return tuple(corrected)


def rank_bands(ranked: Sequence[T], p_value: Callable[[T, T], float]) -> list[int]:
    """The band of each ranked entry, from 1: entries that the best of a band is not better than.

    `p_value(better, worse)` is that of a pair, uncorrected; those with the best of a band are
    corrected together. Entries are told apart at the 5 % level.
    """
    bands: list[int] = []
    start = 0
    while start < len(ranked):
        rest = ranked[start + 1 :]
        corrected = holm([p_value(ranked[start], other) for other in rest])
        width = 1 + next((i for i, p in enumerate(corrected) if p < ALPHA), len(rest))
        bands += [max(bands, default=0) + 1] * width
        start += width
    return bands


Statistic = Callable[[FloatArray], FloatArray]


def worst_of(larger_is_better: bool) -> Statistic:
    """The worst tone's score of each draw, [draws, tones] into [draws]."""
    return (lambda x: x.min(axis=1)) if larger_is_better else (lambda x: x.max(axis=1))
