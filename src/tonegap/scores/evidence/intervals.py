"""Intervals of every score of an entry: of its networks, and of its method.

Networks: the uncertainty of the mean over seeds on all such images. Method: that over other training runs
as well. Scores between 0 and 1 have intervals made for few images (`proportions`), the worst tone and the gap come
from inverting a test (`worst_and_gap`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from tonegap.arrays import BoolArray, FloatArray
from tonegap.scores.evidence.bootstrap import variance_over
from tonegap.scores.evidence.proportions import (
    Seeds,
    area_interval,
    effective_n,
    satterthwaite,
    share_interval,
    student,
    worth_of_means,
)
from tonegap.scores.evidence.seeds import SeedMean, SeedVariance
from tonegap.scores.evidence.worst_and_gap import Sample, gap_interval, worst_interval
from tonegap.scores.formulas import gap, worst
from tonegap.scores.tables import ALL, GAP, WORST, metric_named

LEVEL = 0.95
ONE_RUN = "one training run: how another would differ is not known"
_MOST_LOST = 0.05
MOVED_BY_NOISE = "noise alone moves a score that compares tones: see its null"
# Shares of images: defined from one image on, whatever is drawn.
_SHARES = frozenset({"accuracy", "sensitivity", "specificity"})
_NONE = Seeds(0.0, 0.0, np.inf)


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends of a score's interval, in the score's unit; or why there is none."""

    low: float | None
    high: float | None
    reason: str | None = None


def intervals_of(
    metric: str,
    mean: SeedMean,
    tones: Sequence[str],
    seeds: SeedVariance | None = None,
) -> dict[str, Interval]:
    """The interval of one metric for each tone, `all`, `worst` and `gap`, over seeds.

    Of the method with what `seeds` add, of the networks without. A score that is not defined in more than 5 % of
    the draws has none, shares of images and areas apart; nor has a metric that compares the tones itself: with equal
    tones an interval from draws holds its true value in a fifth to two thirds of cases.
    """
    if not metric_named(metric).per_tone:
        return {ALL: Interval(None, None, MOVED_BY_NOISE)}
    names = (*tones, ALL)
    added = added_by(seeds, metric, mean, len(names))
    worth = _worth(mean)
    found = {n: _share(metric, mean, i, worth[i], added[i]) for i, n in enumerate(names)}
    return found | _extremes(metric, mean, added[:-1], found)


def added_by(seeds: SeedVariance | None, metric: str, mean: SeedMean, n_slots: int) -> list[Seeds]:
    """What seeds add to each of the first slots of a metric; nothing where they are left out."""
    if seeds is None:
        return [_NONE] * n_slots
    return [seeds.of_mean(metric, slot, mean.n_seeds) for slot in range(n_slots)]


def unknown(metric: str, tones: Sequence[str]) -> dict[str, Interval]:
    """The intervals of a method that was trained once: none, with the reason."""
    if not metric_named(metric).per_tone:
        return {ALL: Interval(None, None, MOVED_BY_NOISE)}
    return dict.fromkeys((*tones, ALL, WORST, GAP), Interval(None, None, ONE_RUN))


def _share(metric: str, mean: SeedMean, slot: int, worth: float, seeds: Seeds) -> Interval:
    """The interval of a score between 0 and 1."""
    p, n = float(mean.point[slot]), float(mean.n[slot])
    defined = np.isfinite(mean.draws[:, slot])
    if not (np.isfinite(p) and n > 0):
        return lost(defined)
    if mean.variance is not None and mean.df is not None:
        variance, df = float(mean.variance[slot]), float(mean.df[slot])
        return Interval(*area_interval(p, variance, n, seeds, LEVEL, df))
    if metric not in _SHARES and not _enough(defined):
        return lost(defined)
    return Interval(*share_interval(p, worth, seeds, LEVEL))


def _worth(mean: SeedMean) -> list[float]:
    """How many independent images a score between 0 and 1 is worth, [slots]: tones together, all alone."""
    p, variance = mean.point, variance_over(mean.draws, axis=0)
    n = mean.n if mean.alone is None else mean.alone
    df = n - 1 if mean.df is None else mean.df
    if mean.n_seeds == 1:
        return [
            effective_n(*each)
            for each in zip(p.tolist(), variance.tolist(), n.tolist(), strict=True)
        ]
    found: list[float] = []
    for slots in (slice(None, -1), slice(-1, None)):
        found += worth_of_means(
            p[slots], variance[slots], n[slots], df[slots], mean.n_seeds, LEVEL
        ).tolist()
    return found


def seeds_noise(shape: tuple[int, ...], variance: Sequence[float] | FloatArray) -> FloatArray:
    """Normal noise of what seeds add to each slot, [draws, slots]; the same whenever it is asked for."""
    noise: FloatArray = np.random.default_rng(1).normal(size=shape[::-1]).T * np.sqrt(variance)
    return noise


def extreme_draws(metric: str, mean: SeedMean, variance: Sequence[float]) -> dict[str, FloatArray]:
    """Worst tone and gap of the mean over seeds in each draw, with noise of such variance on each tone, [draws]."""
    tones = mean.draws[:, :-1]
    tones = tones + seeds_noise(tones.shape, variance)
    return {WORST: worst(tones, metric_named(metric).larger_is_better), GAP: gap(tones)}


def sample_of(mean: SeedMean, added: Sequence[Seeds], defined: BoolArray | None = None) -> Sample:
    """The tones of a mean over seeds and their noise, with what seeds add, in the draws that are defined."""
    drawn, point = mean.draws[:, :-1], mean.point[:-1]
    drawn = drawn if defined is None else drawn[defined]
    noise = np.asfortranarray(drawn - point)
    # Draws that are all right have no noise where a class has few images; areas have a variance of their own.
    worth = None if mean.variance is not None else np.array(_worth(mean)[:-1])
    sample = Sample(point, noise, mean.n[:-1], worth=worth)
    more = more_by_student(sample.variance, added)
    if not more.any():
        return sample
    return replace(sample, seeds=np.asfortranarray(seeds_noise(noise.shape, more)))


def more_by_student(images: FloatArray, added: Sequence[Seeds]) -> FloatArray:
    """The variance that seeds add to that of images, [slots], with what Student's t makes of few seeds."""
    more = []
    for variance, seeds in zip(images.tolist(), added, strict=True):
        if seeds.between > 0:
            times = student(satterthwaite(variance, np.inf, seeds), LEVEL) / student(np.inf, LEVEL)
            extra = times**2 * (variance + seeds.variance) - variance
            more.append(max(extra, 0.0))  # of rounding
        else:
            more.append(0.0)
    return np.array(more)


def _extremes(
    metric: str,
    mean: SeedMean,
    added: Sequence[Seeds],
    single: Mapping[str, Interval],
) -> dict[str, Interval]:
    """Worst tone and gap; `single` are the intervals of each tone and of all images."""
    defined: BoolArray = np.all(np.isfinite(mean.draws[:, :-1]), axis=1)
    # Nothing stands behind a tone's mean over classes that lacks one, and it may have a value all the same.
    known = np.isfinite(mean.point[:-1]) & (mean.n[:-1] > 0)
    if not (_enough(defined) and known.all()):
        return dict.fromkeys((WORST, GAP), lost(defined))
    sample = sample_of(mean, added, defined)
    low, high = worst_interval(sample, LEVEL, metric_named(metric).larger_is_better)
    if metric in _SHARES and float(mean.point[:-1].min()) <= 0:
        high = max(high, _most_of_nothing(single))
    return {
        WORST: Interval(max(low, 0.0), min(high, 1.0)),
        GAP: Interval(*gap_interval(sample, LEVEL)),
    }


def _most_of_nothing(single: Mapping[str, Interval]) -> float:
    """The largest share that the worst tone may have where none of its images is right.

    It is no larger than that of all images, nor than that of any tone: the least of their upper ends. Normal noise
    has no right answer about shares as near to 0 as that.
    """
    return min(interval.high for interval in single.values() if interval.high is not None)


def _enough(defined: BoolArray) -> bool:
    return float(np.mean(defined)) >= 1 - _MOST_LOST


def lost(defined: BoolArray) -> Interval:
    """None, as too many draws of a score are undefined, [draws]."""
    share = 1 - float(np.mean(defined))
    return Interval(None, None, f"undefined in {share:.0%} of the resamples: too few such images")
