"""Intervals of every score of an entry, over draws of the test images.

Several seeds are nested in a draw: the same images are drawn for each of them, and the mean over
seeds is what varies. So an interval says how sure the mean is over other test images; how much seeds
differ is another matter, and stays with the spread over seeds.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.evidence.extremes import Sample, gap_interval, worst_interval
from tonegap.evidence.replicates import Replicates
from tonegap.score.arrays import FloatArray
from tonegap.score.tables import ALL, GAP, WORST, metric_named

LEVEL = 0.95
_MOST_LOST = 0.05
_MOVED_BY_NOISE = "noise alone moves a score that compares tones: see its null"


@dataclass(frozen=True, slots=True)
class Interval:
    """Both ends of a score's interval, in the score's unit; or why there is none."""

    low: float | None
    high: float | None
    reason: str | None = None


@dataclass(frozen=True, eq=False)
class Measured:
    """One metric at one seed: `point` as measured, one draw with every image once; `draws`."""

    point: Replicates
    draws: Replicates


def intervals_of(
    metric: str, seeds: Sequence[Measured], tones: Sequence[str], level: float = LEVEL
) -> dict[str, Interval]:
    """The interval of one metric for each tone, `all`, `worst` and `gap`, averaged over seeds.

    A score that is not defined in more than 5 % of the draws has none, nor has a metric that compares the tones
    itself: with equal tones an interval from draws holds its true value in a fifth to two thirds of cases.
    """
    if not metric_named(metric).per_tone:
        return {ALL: Interval(None, None, _MOVED_BY_NOISE)}
    found = {ALL: _percentiles(_mean([s.draws.all for s in seeds]), level)}
    by_tone = _mean([_tones(s.draws) for s in seeds])
    for i, tone in enumerate(tones):
        found[tone] = _percentiles(by_tone[:, i], level)
    return found | _extremes(metric, seeds, level)


def _extremes(metric: str, seeds: Sequence[Measured], level: float) -> dict[str, Interval]:
    defined = np.all([np.isfinite(_tones(s.draws)).all(axis=1) for s in seeds], axis=0)
    if not _enough(defined):
        lost = _lost(defined)
        return {WORST: lost, GAP: lost}
    samples = [_sample(s, defined) for s in seeds]
    low, high = worst_interval(samples, level, metric_named(metric).larger_is_better)
    return {
        WORST: Interval(max(low, 0.0), min(high, 1.0)),
        GAP: Interval(*gap_interval(samples, level)),
    }


def _sample(measured: Measured, defined: FloatArray) -> Sample:
    point = _tones(measured.point)[0]
    drawn = _tones(measured.draws)[defined]
    return Sample(point, np.asfortranarray(drawn - point))


def _percentiles(draws: FloatArray, level: float) -> Interval:
    defined = np.isfinite(draws)
    if not _enough(defined):
        return _lost(defined)
    low, high = np.quantile(draws[defined], [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(low), float(high))


def _tones(values: Replicates) -> FloatArray:
    if values.tones is None:
        raise ValueError("this metric has no value for each tone")
    return values.tones


def _mean(values: Sequence[FloatArray]) -> FloatArray:
    mean: FloatArray = np.mean(values, axis=0)
    return mean


def _enough(defined: FloatArray) -> bool:
    return float(np.mean(defined)) >= 1 - _MOST_LOST


def _lost(defined: FloatArray) -> Interval:
    share = 1 - float(np.mean(defined))
    return Interval(None, None, f"undefined in {share:.0%} of the draws: too few such images")
