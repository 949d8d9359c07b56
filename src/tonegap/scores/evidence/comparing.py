"""Entries against each other, on the same draws of the same images, with what training seeds add to each.

The mistakes it exists to prevent: a rank between two entries that are statistically tied, and an
interval and a p-value that contradict each other: both are of one Student's t.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import stdtr, stdtrit

from tonegap.arrays import FloatArray
from tonegap.scores.evidence.bootstrap import variance_over
from tonegap.scores.evidence.intervals import LEVEL

ALPHA = 1 - LEVEL


@dataclass(frozen=True, eq=False)
class SeedNoise:
    """What training seeds add to means over them, arrays [scores]; the parts as in `proportions.Seeds`."""

    variance: FloatArray
    between: FloatArray
    df: FloatArray


@dataclass(frozen=True, eq=False)
class Noise:
    """What scores [scores] vary by beside draws of images.

    `n`: groups of near-duplicates that each rests on. `seeds`: None of an entry that was trained once.
    """

    n: FloatArray
    seeds: SeedNoise | None = None

    def among(self, at: Sequence[int]) -> "Noise":
        """That of some of the scores."""
        rows, seeds = list(at), self.seeds
        if seeds is None:
            return Noise(self.n[rows])
        return Noise(
            self.n[rows], SeedNoise(*(x[rows] for x in (seeds.variance, seeds.between, seeds.df)))
        )


def alone(noise: Noise) -> Noise:
    """Noise to compare scores with values that have none."""
    if noise.seeds is None:
        return noise
    nothing = np.zeros_like(noise.n)
    return Noise(noise.n, SeedNoise(nothing, nothing, noise.seeds.df))


@dataclass(frozen=True, eq=False)
class ResampledScores:
    """The ranked metric's `all`, `worst` and `gap`: as measured, in each draw of images [draws], and their noise.

    `largest` is the most that two entries can differ by.
    """

    point: Mapping[str, float]
    draws: Mapping[str, FloatArray]
    images: tuple[bytes, ...]
    noise: Mapping[str, Noise]
    largest: float = 1.0


@dataclass(frozen=True, slots=True)
class Paired:
    """One entry's score minus another's: as measured, its interval, and the chance of such a one.

    `p` is two-sided: how likely a difference at least as large is where there is none; it is below 5 % just where the
    interval leaves 0 out. `error` is the standard error, with `df` degrees of freedom.
    """

    difference: float
    low: float
    high: float
    p: float
    error: float
    df: float
    largest: float = np.inf

    def at_level_of(self, times: float) -> tuple[float, float]:
        """The interval at the level of one among so many comparisons; 0 is in it if p x times >= 5 %."""
        reach = float(Errors(np.array(self.error), np.array(self.df)).reach(times))
        low, high = (self.difference + side * reach for side in (-1, 1))
        return max(low, -self.largest), min(high, self.largest)


@dataclass(frozen=True, eq=False)
class Errors:
    """The standard error of differences and its degrees of freedom, arrays of one shape."""

    size: FloatArray
    df: FloatArray

    def p(self, difference: FloatArray) -> FloatArray:
        """How likely differences at least as large are where there are none, two-sided, uncorrected."""
        p: FloatArray = 2 * stdtr(self.df, -np.abs(difference) / self.size)
        return p

    def reach(self, times: FloatArray | float = 1.0) -> FloatArray:
        """How far a difference's interval reaches at the level of one among so many; 0 is in it if p x times >= 5 %."""
        reach: FloatArray = -stdtrit(self.df, ALPHA / (2 * np.asarray(times))) * self.size
        return reach


def errors_of(drawn: FloatArray, one: Noise, other: Noise) -> Errors:
    """The errors of differences whose draws [scores, draws] vary by so much, from images and seeds.

    Draws vary too little, by (n - 1) / n. Where two entries agree on every image, the variance is that of one image
    more on each side (Agresti and Min 2005, Statistics in Medicine 24(5)). Degrees of freedom by Satterthwaite.
    """
    n = np.maximum(np.minimum(one.n, other.n), 2)
    images = np.maximum(variance_over(drawn, axis=-1) * n / (n - 1), 1 / (n + 2) ** 2)
    if one.seeds is None or other.seeds is None:
        return Errors(np.sqrt(images), n - 1)
    total = images + one.seeds.variance + other.seeds.variance
    between = one.seeds.between + other.seeds.between
    df = np.maximum(np.minimum(one.seeds.df, other.seeds.df), 1)
    return Errors(np.sqrt(total), total**2 / (images**2 / (n - 1) + between**2 / df))


def compare_entries(one: ResampledScores, other: ResampledScores, score: str) -> Paired | None:
    """The difference of two entries in `all`, `worst` or `gap`; None where it is undefined or either was trained once.

    Raises ValueError for entries that were not tested on the same images at the same seeds.
    """
    found = _of_both(one, other, score)
    if not found or any(d.noise[score].seeds is None for d in (one, other)):
        return None
    return paired(*found, one.noise[score], other.noise[score], one.largest)


def compare_networks(one: ResampledScores, other: ResampledScores, score: str) -> Paired | None:
    """As `compare_entries`, but between the networks that were trained, whatever others would do."""
    found = _of_both(one, other, score)
    if not found:
        return None
    own, against = (Noise(d.noise[score].n) for d in (one, other))
    return paired(*found, own, against, one.largest)


def _of_both(
    one: ResampledScores, other: ResampledScores, score: str
) -> tuple[float, FloatArray] | None:
    """The difference of two entries and its draws."""
    if one.images != other.images:
        raise ValueError("the entries were tested on different images")
    if not (score in one.draws and score in other.draws):
        return None
    return one.point[score] - other.point[score], one.draws[score] - other.draws[score]


def paired(
    difference: float, drawn: FloatArray, one: Noise, other: Noise, largest: float = np.inf
) -> Paired | None:
    """A difference; `drawn` [draws] has that of each resample of the same images. None if they are undefined.

    Its interval does not go beyond `largest`.

    The draws tell how much the difference varies, not where it lies: a worst tone or a gap is biased in each draw.
    """
    if not (np.isfinite(difference) and is_told(drawn)):
        return None
    errors = errors_of(drawn[None], one, other)
    reach, p = float(errors.reach()[0]), float(errors.p(np.array([difference]))[0])
    low, high = max(difference - reach, -largest), min(difference + reach, largest)
    return Paired(difference, low, high, p, float(errors.size[0]), float(errors.df[0]), largest)


def is_told(drawn: FloatArray) -> FloatArray:
    """Whether draws [..., draws] are defined often enough to compare by."""
    told: FloatArray = np.isfinite(drawn).mean(axis=-1) >= LEVEL
    return told


def holm_steps(p: FloatArray) -> tuple[FloatArray, FloatArray]:
    """p-values corrected for being several, and by how many times each was multiplied for that, before 1 is the most.

    NaN stays and counts for nothing; any shape. A corrected p is below 5 % just where p times that is. Source:
    Holm 1979.
    """
    flat = p.ravel()
    order = np.argsort(flat, kind="stable")  # NaN comes last
    ordered = flat[order]
    left = int(np.isfinite(flat).sum()) - np.arange(len(flat))
    steps = np.maximum.accumulate(np.maximum(left, 1) * ordered)
    times = np.maximum(np.divide(steps, ordered, out=np.ones_like(steps), where=ordered > 0), left)
    corrected, multiplied = np.empty_like(flat), np.empty_like(flat)
    corrected[order], multiplied[order] = np.minimum(steps, 1.0), np.maximum(times, 1.0)
    return corrected.reshape(p.shape), multiplied.reshape(p.shape)
