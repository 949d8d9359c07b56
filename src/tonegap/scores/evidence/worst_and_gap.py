"""Intervals of the worst tone's score and of the gap, by inverting a test.

Both are extremes over tones, and noise alone spreads tones apart: with equal tones the plain bootstrap
interval of a gap never reaches 0. Here a value is kept if data like ours are likely enough when it is
the true one and the tones otherwise lie as close to the measured ones as it allows. Noise comes
from the same draws of images. `benchmarks_of_code/bench_coverage.py` prints how often such intervals hold
the truth, beside plain percentiles.

Source of inverting a test by simulating at the constrained estimate: Carpenter 1999, "Test inversion
bootstrap confidence intervals", J. R. Stat. Soc. B 61(1).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from tonegap.arrays import BoolArray, FloatArray
from tonegap.scores.evidence.bisection import bisected

_STEPS, _HALVINGS = 16, 10  # the ends are found to 1/16,000 of the range
_GRID = 81
_SMALLEST = 1e-12
_SMALLEST_READ = 0.16


@dataclass(frozen=True, eq=False)
class Sample:
    """Scores by tone [tones], means over seeds, and the noise of each draw of images [draws, tones].

    `n`: groups of images behind each tone's score, for scores between 0 and 1: noise is then that of as many images as
    `worth` says, at the score that is supposed to be the true one, so five of five right images have some; without
    `worth` as many as the draws are. `seeds` [draws, tones] is what other training seeds would add. The noise of one
    tone best lies together in memory.
    """

    scores: FloatArray
    noise: FloatArray
    n: FloatArray | None = None
    seeds: FloatArray | None = None
    worth: FloatArray | None = None

    @cached_property
    def variance(self) -> FloatArray:
        """Of each tone's score; never 0, so that it can be divided by."""
        variance: FloatArray = self.noise.var(axis=0)
        if self.n is not None:
            middle = (self.n * self.scores + 1) / (self.n + 2)
            at_ends = middle * (1 - middle) / self.n
            if self.worth is not None:
                variance = self.scores * (1 - self.scores) / self.worth
            variance = np.where(self._varies, variance, at_ends)
        if self.seeds is not None:
            variance = variance + self.seeds.var(axis=0)
        return np.maximum(variance, _SMALLEST)

    @cached_property
    def if_alike(self) -> FloatArray:
        """The variance of each tone's score if all had the same true one; the measured where that says nothing.

        A tone that is right by luck has a small one of its own, and would draw what all have in common to itself.
        """
        if self.n is None:
            return self.variance
        common = (float(self.n @ self.scores) + 1) / (float(self.n.sum()) + 2)
        found: FloatArray = common * (1 - common) / self._worth
        return found if self.seeds is None else found + self.seeds.var(axis=0)

    @property
    def reach(self) -> float:
        """Further than this from what was measured nothing is likely."""
        return 5 * float(np.sqrt(2 * self.variance.max()))

    def around(self, true: FloatArray) -> FloatArray:
        """Scores that draws of images and seeds give where these [tones] are the true ones, [draws, tones]."""
        seeds = 0.0 if self.seeds is None else self.seeds
        if self.n is None:
            found: FloatArray = true + self.noise + seeds
            return found
        inside = np.clip(true, 0, 1)
        shares: FloatArray = inside + self._unit * np.sqrt(inside * (1 - inside)) + seeds
        return np.clip(shares, 0, 1)

    @property
    def _varies(self) -> BoolArray:
        varies: BoolArray = (
            (self.scores > 0) & (self.scores < 1) & (self.noise.var(axis=0) > _SMALLEST)
        )
        return varies

    @cached_property
    def _unit(self) -> FloatArray:
        """Normal noise in units of the root of p (1 - p), of as many images as each tone's draws are worth.

        Drawn noise itself leans to the middle: that of 1 of 5 hardly ever makes 1 of 5 from a true half.
        """
        normal = np.random.default_rng(0).normal(size=self.noise.shape)
        return np.asfortranarray(normal / np.sqrt(self._worth))

    @cached_property
    def _worth(self) -> FloatArray:
        """How many independent images each tone's score is worth; `n` where nothing was drawn that varies."""
        if self.worth is not None:
            return self.worth
        if self.n is None:
            raise ValueError("only of scores between 0 and 1")
        variance = np.maximum(self.noise.var(axis=0), _SMALLEST)
        p = self.scores
        worth: FloatArray = np.where(self._varies, p * (1 - p) / variance, self.n)
        return worth


# How much scores [..., tones] speak against a value that must lie higher, or lower, than they do.
Evidence = Callable[[FloatArray, float, FloatArray], FloatArray]


def gap_interval(sample: Sample, level: float) -> tuple[float, float]:
    """Interval of largest minus smallest score; never below 0, nor without width.

    A gap smaller than what noise makes of equal tones would speak against every value, 0 too. One below the 16 %
    point of such noise is read as that. Source: Cowan, Cranmer, Gross and Vitells 2011, arXiv 1105.3166.
    """
    found = float(np.ptp(sample.scores))
    tail, slack = (1 - level) / 2, _SMALLEST * max(1.0, found)

    def drawn(value: float) -> FloatArray:
        """The gap of each draw if `value` is the true one."""
        gaps: FloatArray = np.ptp(sample.around(_centre_of_gap(sample, value)), axis=1)
        return gaps

    least = float(np.quantile(drawn(0.0), _SMALLEST_READ))
    # Half of what one image moves a score by: scores lie on steps, and drawn ones between them.
    half_step = 0.0 if sample.n is None else 0.5 / float(sample.n.max())
    most = found if found > least else least + half_step
    low = _edge(0.0, found, lambda value: bool((drawn(value) >= found - slack).mean() > tail))
    far = most + sample.reach if sample.n is None else min(most + sample.reach, 1.0)
    return low, _edge(far, found, lambda value: bool((drawn(value) <= most + slack).mean() > tail))


def worst_interval(sample: Sample, level: float, larger_is_better: bool) -> tuple[float, float]:
    """Interval of the worst tone's score."""
    if not larger_is_better:
        turned = Sample(
            -sample.scores, -sample.noise, None, None if sample.seeds is None else -sample.seeds
        )
        low, high = worst_interval(turned, level, larger_is_better=True)
        return -high, -low
    found, variance = float(sample.scores.min()), sample.variance

    def likely(value: float, evidence: Evidence) -> bool:
        ours = float(evidence(sample.scores, value, variance))
        drawn = evidence(sample.around(_centre_of_worst(sample, value)), value, variance)
        return bool((drawn >= ours - _SMALLEST).mean() > (1 - level) / 2)

    ends = (found - sample.reach, found + sample.reach)
    if sample.n is not None:
        ends = (max(ends[0], 0.0), min(ends[1], 1.0))
    low = _edge(ends[0], found, lambda value: likely(value, _too_high))
    return low, _edge(ends[1], found, lambda value: likely(value, _too_low))


def _too_low(scores: FloatArray, lowest: float, variance: FloatArray) -> FloatArray:
    """Squared distance to scores that are all `lowest` or more."""
    distance: FloatArray = (np.maximum(lowest - scores, 0) ** 2 / variance).sum(axis=-1)
    return distance


def _too_high(scores: FloatArray, lowest: float, variance: FloatArray) -> FloatArray:
    """Squared distance to scores of which one is `lowest` or less."""
    distance: FloatArray = (np.maximum(scores - lowest, 0) ** 2 / variance).min(axis=-1)
    return distance


def _edge(far: float, near: float, keeps: Callable[[float], bool]) -> float:
    """The value furthest from `near` that is kept, up to `far`; found by steps, then by halving.

    Scores of few images lie on steps, so a value may be kept behind one that is not.
    """
    places = np.linspace(far, near, _STEPS + 1).tolist()
    first = next((i for i, place in enumerate(places[:-1]) if keeps(place)), _STEPS)
    return far if first == 0 else bisected(keeps, places[first], places[first - 1], _HALVINGS)


def _centre_of_worst(sample: Sample, lowest: float) -> FloatArray:
    """The tones closest to the sample whose worst is `lowest`, in units of each tone's noise."""
    lifted = np.maximum(sample.scores, lowest)
    put = (sample.scores - lowest) ** 2 - (sample.scores - lifted) ** 2
    lifted[int((put / sample.variance).argmin())] = lowest
    return lifted


def _centre_of_gap(sample: Sample, gap: float) -> FloatArray:
    """The tones closest to the sample that span `gap`, in units of each tone's noise if they were alike.

    For each place of the lowest on a grid: tones outside are pulled to the nearer end, and the two
    that it costs least are put on the ends.
    """
    x, variance = sample.scores, sample.if_alike
    ends = (x.min() - gap, x.max())
    if sample.n is not None:
        ends = (max(ends[0], 0.0), max(min(ends[1], 1 - gap), 0.0))
    low = np.linspace(*ends, _GRID)[:, None]
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
