"""Every entry against every other, in every score, on the same draws of the same images.

The mistake it exists to prevent: out of thousands of comparisons the few that luck made, shown as findings.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.arrays import FloatArray
from tonegap.scores.evidence.comparing import Errors, errors_of, holm_steps, is_told
from tonegap.scores.evidence.every_score import EveryScore

_AT_ONCE = 12  # pairs whose draws are in memory together


@dataclass(frozen=True, eq=False)
class Pairs:
    """The first entry's score minus the second's for all pairs (0, 1), (0, 2), …, (1, 2), …, [pairs, scores].

    `p` is two-sided and corrected over all pairs and scores (Holm), and `low` to `high` is the interval at the level
    that each is tested at, so it leaves 0 out just where p is below 5 %. NaN: one of the two is undefined or was
    tested on other images; `difference` alone is there if one of them was trained once.
    """

    difference: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray


def compare_all(point: FloatArray, entries: Sequence[EveryScore], largest: FloatArray) -> Pairs:
    """All pairs of entries with the same names of scores; `point` [entries, scores] are the measured ones.

    Differences of a score do not exceed its `largest` [scores] value.
    """
    n = len(entries)
    blocks = [
        _against(point, entries, i, range(first, min(first + _AT_ONCE, n)))
        for i in range(n - 1)
        for first in range(i + 1, n, _AT_ONCE)
    ]
    none = np.empty((0, point.shape[1]))
    columns = zip(*blocks, strict=True) if blocks else [()] * 3
    difference, size, df = (np.concatenate([none, *parts]) for parts in columns)
    errors = Errors(size, df)
    p, times = holm_steps(errors.p(difference))
    reach = errors.reach(times)
    low, high = (np.clip(difference + side * reach, -largest, largest) for side in (-1, 1))
    return Pairs(difference, low, high, p)


def _against(
    point: FloatArray, entries: Sequence[EveryScore], i: int, others: range
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Difference, its standard error and degrees of freedom of entry i minus each of the others, [others, scores]."""
    difference = point[i] - point[others]
    drawn = np.stack([entries[i].draws - entries[j].draws for j in others])
    told = is_told(drawn) & [[entries[i].images == entries[j].images] for j in others]
    difference[~told] = np.nan
    found = [
        errors_of(rows, entries[i].noise, entries[j].noise)
        for rows, j in zip(drawn, others, strict=True)
    ]
    size, df = np.stack([e.size for e in found]), np.stack([e.df for e in found])
    trained_once = [
        entries[i].noise.seeds is None or entries[j].noise.seeds is None for j in others
    ]
    size[np.array(trained_once)] = np.nan
    return difference, size, df
