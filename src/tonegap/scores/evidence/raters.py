"""Corrects scores by tone for errors of tone labels, with an interval that carries them.

The mistake it exists to prevent: a gap between labels taken for a gap between tones. Two annotations of the same images
say how reliable each is: a tone is a point on a line, a rater sees it with noise and cuts the line at places of their
own, so that the correlation of the two lines is the reliability (the polychoric correlation, Olsson 1979, Psychometrika
44). Images labelled one tone are then a mixture of true tones, in shares that are the rows of a matrix M; scores by
true tone are M⁻¹ times those by label (Buonaccorsi 2010, Measurement Error, 2). Errors are taken to be alike in all
classes, unrelated to what a classifier gets right, and the same in both annotations.
"""

from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri

from tonegap.arrays import FloatArray, IntArray
from tonegap.scores.evidence.worst_and_gap import Sample, gap_interval

FEWEST = 100  # images with both labels that a reliability is estimated from
_WITHIN = 0.10  # the reliability is known to so much, to each side
_LINE = np.linspace(-6, 6, 601)
_DENSITY = np.exp(-(_LINE**2) / 2) / np.exp(-(_LINE**2) / 2).sum()
_MIXED = 21


@dataclass(frozen=True, slots=True)
class Raters:
    """Two annotations of the same images: how many, how many alike, and the reliability of one.

    `margins` are the shares of the first annotation, by tone.
    """

    n: int
    alike: float
    reliability: float
    margins: tuple[float, ...]


def raters_of(first: IntArray, second: IntArray, n_tones: int) -> Raters | None:
    """The raters of images [n] by index of tone, -1 for unknown; None with fewer than 100 that both labelled.

    None also where a tone has no image of one of them.
    """
    both = (first >= 0) & (second >= 0)
    table = np.zeros((n_tones, n_tones))
    np.add.at(table, (first[both], second[both]), 1)
    n, one, other = int(table.sum()), table.sum(axis=1), table.sum(axis=0)
    if n < FEWEST or min(one.min(), other.min()) < 1:
        return None
    margins = (one / n, other / n)

    def unlikely(reliability: float) -> float:
        by_rater = [_seen(share, reliability) for share in margins]
        chances = by_rater[0] @ (_DENSITY[:, None] * by_rater[1].T)
        return -float((table * np.log(np.maximum(chances, 1e-12))).sum())

    from scipy.optimize import minimize_scalar  # half a second that every report would wait for

    best = minimize_scalar(unlikely, bounds=(0.02, 0.995), method="bounded")
    known = np.bincount(first[first >= 0], minlength=n_tones) / (first >= 0).sum()
    return Raters(n, float(np.trace(table) / n), float(best.x), tuple(known.tolist()))


def _seen(margins: FloatArray, reliability: float) -> FloatArray:
    """The chance of each label at each place of the line, [tones, places]."""
    cuts = ndtri(np.concatenate(([0.0], np.cumsum(margins)[:-1], [1.0])))
    placed = cuts[:, None] - np.sqrt(reliability) * _LINE
    seen: FloatArray = np.diff(ndtr(placed / np.sqrt(1 - reliability)), axis=0)
    return seen


def mixture(raters: Raters, reliability: float | None = None) -> FloatArray:
    """The shares of true tones among the images of each label, [labels, tones]; rows sum to 1.

    True tones have the shares of the first annotation's labels.
    """
    margins = np.array(raters.margins)
    seen = _seen(margins, raters.reliability if reliability is None else reliability)
    true = np.searchsorted(np.cumsum(margins)[:-1], np.cumsum(_DENSITY) - _DENSITY / 2)
    of_tone = (true == np.arange(len(margins))[:, None]) * _DENSITY
    joint = seen @ of_tone.T
    shares: FloatArray = joint / joint.sum(axis=1, keepdims=True)
    return shares


def corrected(sample: Sample, raters: Raters) -> Sample:
    """Scores by true tone and their noise, from those by label; linear scores such as accuracy alone.

    In each draw the reliability is another, ±0.10 around the estimate: nothing says how it is split between raters.
    """
    low, high = max(raters.reliability - _WITHIN, 0.05), min(raters.reliability + _WITHIN, 0.995)
    inverses = np.stack([np.linalg.inv(mixture(raters, r)) for r in np.linspace(low, high, _MIXED)])
    scores = np.linalg.inv(mixture(raters)) @ sample.scores
    noise = sample.noise if sample.seeds is None else sample.noise + sample.seeds
    which = np.random.default_rng(2).integers(_MIXED, size=len(noise))
    true = np.einsum("dij,dj->di", inverses[which], sample.scores + noise)
    return replace(
        sample, scores=scores, noise=np.asfortranarray(true - scores), n=None, seeds=None
    )


def corrected_gap(sample: Sample, raters: Raters, level: float) -> tuple[float, float, float]:
    """The gap between true tones and both ends of its interval, from scores by label."""
    found = corrected(sample, raters)
    low, high = gap_interval(found, level)
    return float(np.ptp(found.scores)), low, min(high, 1.0)
