"""Scores of tones with few images, drawn towards what entry and tone alone would give.

The worst of several noisy scores is worse than the worst tone truly is, the more so the fewer images a tone has, and a
rank by it is then a rank by luck. The score of entry m on tone t is taken as the tone's mean over entries, plus how
much better the entry is over all tones, plus what is left; of what is left only the share B_t is believed that is not
noise: y_mt = mean_t + r_m + B_t e_mt, B_t = tau² / (tau² + s²_t).
Source: Efron and Morris 1975, JASA 70(350), for unequal variances; tau² by moments.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.arrays import BoolArray, FloatArray

_DEFINED = 0.95  # of the draws, as for intervals


@dataclass(frozen=True, eq=False)
class Shrinkage:
    """Shrunken scores [entries, tones]; `believed` is B_t of each tone, `spread` is tau in the scores' unit."""

    scores: FloatArray
    believed: FloatArray
    spread: float


def shrink(scores: FloatArray, noise: FloatArray, pool: BoolArray) -> Shrinkage:
    """The scores [entries, tones] shrunken; `noise` is the variance s²_t of what is left in each tone, [tones].

    Means and tau² come from the entries of the `pool` (two or more, two tones or more); the others are shrunken by
    the same rule and change nothing. A tone without noise is believed as it is.
    """
    by_tone = scores[pool].mean(axis=0)
    by_entry = (scores - by_tone).mean(axis=1, keepdims=True)
    left = scores - by_tone - by_entry
    n_entries, n_tones = int(pool.sum()), scores.shape[1]
    total = float((left[pool] ** 2).sum()) / ((n_entries - 1) * (n_tones - 1))
    spread = max(total - float(noise.mean()), 0.0)
    believed = np.ones(n_tones)
    np.divide(spread, spread + noise, out=believed, where=noise > 0)
    return Shrinkage(by_tone + by_entry + believed * left, believed, spread**0.5)


def noise_by_tone(draws: Sequence[FloatArray]) -> FloatArray | None:
    """The variance s²_t of an entry's score on each tone without what all entries share, [tones].

    `draws` [draws, tones] of two entries or more are of the same images: how hard those are is in all of them, and
    is taken out with their mean. None where the scores are undefined in more than one draw of twenty.
    """
    drawn = np.stack(draws)  # [entries, draws, tones]
    defined = np.isfinite(drawn).all(axis=(0, 2))
    if defined.mean() < _DEFINED:
        return None
    own = drawn[:, defined] - drawn[:, defined].mean(axis=0)
    noise: FloatArray = own.var(axis=1).sum(axis=0) / (len(draws) - 1)
    return noise
