"""Every entry against every other, in every score, on the same draws of the same images.

The mistake it exists to prevent: out of hundreds of comparisons the few that luck made, shown as findings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from tonegap.evidence.every_score import EveryScore
from tonegap.evidence.intervals import LEVEL
from tonegap.score.arrays import FloatArray, IntArray

# With fewer draws than this at least as large as the difference, their number says too little.
_COUNTED = 10
_SLACK = 1e-12
_AT_ONCE = 12  # pairs whose draws are in memory together


@dataclass(frozen=True, eq=False)
class Pairs:
    """The first entry's score minus the second's for all pairs (0, 1), (0, 2), …, (1, 2), …, [pairs, scores].

    `low` to `high` is the interval of `difference`. `p` is two-sided and corrected, in each score over all
    pairs (Holm). NaN: one of the two is undefined, or was tested on other images.
    """

    difference: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray


def compare_all(point: FloatArray, entries: Sequence[EveryScore]) -> Pairs:
    """All pairs of entries with the same names of scores; `point` [entries, scores] are the measured ones.

    As `comparing.paired` does it: draws tell how much a difference varies, not where it lies.
    """
    n = len(entries)
    blocks = [
        _against(point, entries, i, range(first, min(first + _AT_ONCE, n)))
        for i in range(n - 1)
        for first in range(i + 1, n, _AT_ONCE)
    ]
    none = np.empty((0, point.shape[1]))
    columns = zip(*blocks, strict=True) if blocks else [()] * 4
    difference, low, high, p = (np.concatenate([none, *parts]) for parts in columns)
    return Pairs(difference, low, high, holm_of_each(p))


def _against(
    point: FloatArray, entries: Sequence[EveryScore], i: int, others: range
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Difference, both ends and p of entry i minus each of the others, [others, scores]."""
    difference = point[i] - point[others]
    drawn = np.stack([entries[i].draws - entries[j].draws for j in others])
    n = np.isfinite(drawn).sum(axis=-1)
    told = n >= LEVEL * drawn.shape[-1]
    told &= np.array([[entries[i].images == entries[j].images] for j in others])
    difference[~told] = np.nan
    n = np.maximum(n, 1)
    drawn.sort(axis=-1)  # NaN comes last
    drawn -= (np.sum(drawn, axis=-1, where=np.isfinite(drawn)) / n)[..., None]
    tail = (1 - LEVEL) / 2
    low, high = (difference - _quantile(drawn, q, n) for q in (1 - tail, tail))
    return difference, low, high, _p_values(drawn, difference, n)


def _quantile(ordered: FloatArray, q: float, n: IntArray) -> FloatArray:
    """The quantile of the first n of each row, between neighbours in proportion."""
    at = q * (n - 1)
    below = np.floor(at).astype(np.int64)
    above = np.minimum(below + 1, n - 1)
    one, other = (
        np.take_along_axis(ordered, i[..., None], axis=-1)[..., 0] for i in (below, above)
    )
    between: FloatArray = one + (at - below) * (other - one)
    return between


def _p_values(noise: FloatArray, difference: FloatArray, n: IntArray) -> FloatArray:
    """How likely a difference at least as large is where there is none, two-sided, uncorrected.

    Counted among the draws; where too few are as large, from a normal tail of the same width: 2,000 draws
    cannot show a p of 1 in 10,000, which it takes to tell two of 40 entries apart. Source of counting first,
    then fitting a tail: Knijnenburg et al. 2009, Bioinformatics 25(12).
    """
    as_large = (np.abs(noise) >= np.abs(difference)[..., None] - _SLACK).sum(axis=-1)
    counted = (1 + as_large) / (1 + n)
    width = np.sqrt(np.sum(noise**2, axis=-1, where=np.isfinite(noise)) / n)
    z = np.divide(np.abs(difference), width, out=np.full_like(width, np.inf), where=width > 0)
    tail = np.minimum(2 * ndtr(-z), (1 + _COUNTED) / (1 + n))
    p: FloatArray = np.where(as_large < _COUNTED, tail, counted)
    p[np.isnan(difference)] = np.nan
    return p


def holm_of_each(p: FloatArray) -> FloatArray:
    """The p-values [tests, families] corrected within each family; NaN stays and counts for nothing.

    Source: Holm 1979.
    """
    order = np.argsort(p, axis=0)  # NaN comes last
    ordered = np.take_along_axis(p, order, axis=0)
    left = np.isfinite(p).sum(axis=0) - np.arange(len(p))[:, None]
    steps = np.minimum(np.maximum.accumulate(left * ordered, axis=0), 1.0)
    corrected = np.empty_like(p)
    np.put_along_axis(corrected, order, steps, axis=0)
    return corrected
