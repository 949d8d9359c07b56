"""What a gap would be if tones made no difference: tones dealt anew among the images.

The largest minus the smallest of several noisy scores is never 0, so a gap needs this beside it.
Source: the permutation test, Fisher 1935; Good 2005, Permutation, Parametric and Bootstrap Tests.
"""

from dataclasses import dataclass

import numpy as np

from tonegap.evidence.images import Answers, TestImages
from tonegap.evidence.replicates import replicates
from tonegap.evidence.tally import tally
from tonegap.score.arrays import FloatArray, IntArray

# Of a two-sided test at 5 %, with a chance of 80 % to find a difference: 1.96 + 0.84 standard errors.
_DETECTED = 2.80


@dataclass(frozen=True, slots=True)
class Parity:
    """A gap without any difference between tones: its mean, and how often it is as large as ours."""

    expected: float
    p: float


def dealt_scores(
    images: TestImages, said: Answers, n_deals: int, metric: str, has_event: bool
) -> FloatArray:
    """One metric of each tone, with tones dealt anew, [deals, tones].

    Images of one unit keep sharing a tone; each tone keeps its number of units, not of images.
    """
    n_tones = len(images.tones)
    dealt = _deal(images, n_deals)  # [deals, n]
    member = dealt.T[:, :, None] == np.arange(n_tones)
    weights = member.astype(np.float64).reshape(len(images), n_deals * n_tones).T
    toneless = TestImages(images.ids, images.y, np.full(len(images), -1), images.unit, ())
    counts = tally(toneless, said, weights, with_auc=metric == "auc")
    found = replicates(counts, has_event, between=False)[metric]
    return found.all.reshape(n_deals, n_tones)


def parity(gap: float, dealt: FloatArray) -> Parity | None:
    """A measured gap beside those of dealt tones, [deals]; None where most are undefined."""
    gaps = dealt[np.isfinite(dealt)]
    if 2 * len(gaps) < len(dealt):
        return None
    p = (1 + int((gaps >= gap - 1e-12).sum())) / (1 + len(gaps))
    return Parity(float(gaps.mean()), p)


def detectable(variance: FloatArray) -> float:
    """The smallest difference between two tones that is found with a chance of 80 % at the 5 % level.

    For the two tones that are hardest to tell apart; `variance` [tones] of their scores. It may be larger than any
    difference can be.
    """
    return _DETECTED * float(np.sqrt(np.sort(variance)[-2:].sum()))


def _deal(images: TestImages, n_deals: int) -> IntArray:
    """Tones of the images, those of the units put in another order each time, [deals, n].

    A unit has the tone of its first image.
    """
    rng = np.random.default_rng([1, *images.digest[:16]])
    _, first, unit_of = np.unique(images.unit, return_index=True, return_inverse=True)
    tones = np.tile(images.tone[first], (n_deals, 1))
    dealt: IntArray = rng.permuted(tones, axis=1)[:, unit_of]
    return dealt
