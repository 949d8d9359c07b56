"""A score beside its null distribution, and the smallest difference that a test set shows.

The largest minus the smallest of several noisy scores is never 0, so a gap needs its null beside it.
"""

from dataclasses import dataclass

import numpy as np

from tonegap.arrays import FloatArray

# Of a two-sided test at 5 %, with a chance of 80 % to find a difference: 1.96 + 0.84 standard errors.
_DETECTED = 2.80
_RANGE = (0.025, 0.975)


@dataclass(frozen=True, slots=True)
class Parity:
    """A score where there is nothing to find: its mean, and the chance of one as far off as ours.

    `low` to `high` holds 95 % of the null distribution. `p` is of this score alone, not corrected for others; of
    n draws it is never below 1 / (n + 1).
    """

    expected: float
    p: float
    low: float
    high: float


def parity(score: float, null: FloatArray, *, larger_is_alike: bool = False) -> Parity | None:
    """A measured score beside its null distribution [draws]; None if most of it, or the score, is undefined.

    Large scores speak against the null, small ones where larger ones mean more alike (`larger_is_alike`).
    """
    null = null[np.isfinite(null)] if 2 * np.isfinite(null).sum() >= len(null) else null[:0]
    if not (len(null) and np.isfinite(score)):
        return None
    sign = -1 if larger_is_alike else 1
    p = (1 + int((sign * null >= sign * score - 1e-12).sum())) / (1 + len(null))
    low, high = np.quantile(null, _RANGE)
    return Parity(float(null.mean()), p, float(low), float(high))


def attainable(difference: float | None) -> float | None:
    """A minimum detectable difference that two scores can have; None where it is undefined, or 1 and more."""
    return difference if difference is not None and difference < 1 else None


def minimum_detectable_difference(variance: FloatArray) -> float:
    """The smallest difference between two tones that is found with a chance of 80 % at the 5 % level.

    For the two tones that are hardest to distinguish; `variance` [tones] of their scores. It may be larger than any
    difference can be.
    """
    return _DETECTED * float(np.sqrt(np.sort(variance)[-2:].sum()))
