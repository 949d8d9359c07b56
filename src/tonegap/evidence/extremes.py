"""Intervals of the worst tone's score and of the gap, by inverting a test.

Both are extremes over tones, and noise alone spreads tones apart: with equal tones the plain bootstrap
interval of a gap never reaches 0. Here a value is kept if data like ours are likely enough when it is
the true one and the tones otherwise lie as close to the measured ones as it allows. Noise comes
from the same draws of images. `tests/benchmarks/bench_coverage.py` prints how often such intervals hold
the truth, beside plain percentiles.

Source of inverting a test by simulating at the constrained estimate: Carpenter 1999, "Test inversion
bootstrap confidence intervals", J. R. Stat. Soc. B 61(1).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tonegap.score.arrays import FloatArray

_HALVINGS = 14  # the ends are found to 1/16,000 of the range
_GRID = 81
_SMALLEST = 1e-12


@dataclass(frozen=True, eq=False)
class Sample:
    """One seed's measured scores by tone [tones], and the noise of each draw [draws, tones].

    The noise of one tone best lies together in memory: extremes over tones are then taken draw by draw at once.
    """

    scores: FloatArray
    noise: FloatArray

    @cached_property
    def variance(self) -> FloatArray:
        """Of each tone's score; never 0, so that it can be divided by."""
        variance: FloatArray = np.maximum(self.noise.var(axis=0), _SMALLEST)
        return variance

    @property
    def reach(self) -> float:
        """Further than this from what was measured nothing is likely."""
        return 5 * float(np.sqrt(2 * self.variance.max()))


# How much scores [..., tones] speak against a value that must lie higher, or lower, than they do.
Evidence = Callable[[FloatArray, float, FloatArray], FloatArray]


def gap_interval(samples: Sequence[Sample], level: float) -> tuple[float, float]:
    """Interval of the mean over seeds of largest minus smallest score; never below 0."""
    measured = [float(np.ptp(s.scores)) for s in samples]
    found, reach = float(np.mean(measured)), max(s.reach for s in samples)

    def drawn(value: float) -> FloatArray:
        """The mean gap of each draw if `value` is the true one."""
        gaps = [
            np.ptp(_centre_of_gap(s, max(own + value - found, 0.0)) + s.noise, axis=1)
            for s, own in zip(samples, measured, strict=True)
        ]
        mean: FloatArray = np.mean(gaps, axis=0)
        return mean

    tail, slack = (1 - level) / 2, _SMALLEST * max(1.0, found)
    low = _edge(0.0, found, lambda value: bool((drawn(value) >= found - slack).mean() > tail))
    high = _edge(
        found + reach, found, lambda value: bool((drawn(value) <= found + slack).mean() > tail)
    )
    return low, high


def worst_interval(
    samples: Sequence[Sample], level: float, larger_is_better: bool
) -> tuple[float, float]:
    """Interval of the mean over seeds of the worst tone's score."""
    if not larger_is_better:
        turned = [Sample(-s.scores, -s.noise) for s in samples]
        low, high = worst_interval(turned, level, larger_is_better=True)
        return -high, -low
    measured = [float(s.scores.min()) for s in samples]
    found, reach = float(np.mean(measured)), max(s.reach for s in samples)

    def likely(value: float, evidence: Evidence) -> bool:
        ours, drawn = 0.0, np.zeros(len(samples[0].noise))
        for s, own in zip(samples, measured, strict=True):
            lowest = own + value - found
            ours += float(evidence(s.scores, lowest, s.variance))
            draws = _centre_of_worst(s, lowest) + s.noise
            drawn += evidence(draws, lowest, s.variance)
        return bool((drawn >= ours - _SMALLEST).mean() > (1 - level) / 2)

    low = _edge(found - reach, found, lambda value: likely(value, _too_high))
    return low, _edge(found + reach, found, lambda value: likely(value, _too_low))


def _too_low(scores: FloatArray, lowest: float, variance: FloatArray) -> FloatArray:
    """Squared distance to scores that are all `lowest` or more."""
    distance: FloatArray = (np.maximum(lowest - scores, 0) ** 2 / variance).sum(axis=-1)
    return distance


def _too_high(scores: FloatArray, lowest: float, variance: FloatArray) -> FloatArray:
    """Squared distance to scores of which one is `lowest` or less."""
    distance: FloatArray = (np.maximum(scores - lowest, 0) ** 2 / variance).min(axis=-1)
    return distance


def _edge(far: float, near: float, keeps: Callable[[float], bool]) -> float:
    """The value between `far` and `near` from which on values are kept, found by halving."""
    if keeps(far):
        return far
    for _ in range(_HALVINGS):
        middle = (far + near) / 2
        if keeps(middle):
            near = middle
        else:
            far = middle
    return near


def _centre_of_worst(sample: Sample, lowest: float) -> FloatArray:
    """The tones closest to the sample whose worst is `lowest`, in units of each tone's noise."""
    lifted = np.maximum(sample.scores, lowest)
    put = (sample.scores - lowest) ** 2 - (sample.scores - lifted) ** 2
    lifted[int((put / sample.variance).argmin())] = lowest
    return lifted


def _centre_of_gap(sample: Sample, gap: float) -> FloatArray:
    """The tones closest to the sample that span `gap`, in units of each tone's noise.

    For each place of the lowest on a grid: tones outside are pulled to the nearer end, and the two
    that it costs least are put on the ends.
    """
    x, variance = sample.scores, sample.variance
    low = np.linspace(x.min() - gap, x.max(), _GRID)[:, None]
    inside = np.clip(x, low, low + gap)
    cost = (inside - x) ** 2 / variance
    top, bottom = ((end - x) ** 2 / variance - cost for end in (low + gap, low))
    total = cost.sum(axis=1)[:, None, None] + top[:, :, None] + bottom[:, None, :]
    if gap > 0:
        total[:, np.arange(len(x)), np.arange(len(x))] = np.inf
    at, highest, lowest = np.unravel_index(int(total.argmin()), total.shape)
    centre: FloatArray = inside[at].copy()
    centre[highest], centre[lowest] = low[at, 0] + gap, low[at, 0]
    return centre
