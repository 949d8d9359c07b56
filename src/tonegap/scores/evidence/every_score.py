"""Every score of an entry in every draw: what two entries are compared by, metric by metric and tone by tone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.arrays import FloatArray
from tonegap.scores.evidence.bootstrap import variance_over
from tonegap.scores.evidence.comparing import Noise, SeedNoise
from tonegap.scores.evidence.intervals import added_by, extreme_draws
from tonegap.scores.evidence.proportions import Seeds
from tonegap.scores.evidence.seeds import SeedMean, SeedVariance
from tonegap.scores.formulas import gap, worst
from tonegap.scores.tables import ALL, GAP, WORST, metric_named

# A metric, and a tone, `all`, `worst` or `gap`.
ScoreName = tuple[str, str]


@dataclass(frozen=True, eq=False)
class EveryScore:
    """Scores in each draw of images, [scores, draws], NaN where undefined; of the mean over seeds.

    `noise` is what they vary by beside that. Entries with the same `images` were tested on the same ones, seed by
    seed.
    """

    names: tuple[ScoreName, ...]
    draws: FloatArray
    images: tuple[bytes, ...]
    noise: Noise


def every_score(
    means: Mapping[str, SeedMean],
    tones: Sequence[str],
    images: tuple[bytes, ...],
    seeds: SeedVariance | None,
) -> EveryScore:
    """The scores of an entry in every metric; `seeds` is what other seeds add, None with one."""
    found = [
        (metric, each)
        for metric, mean in means.items()
        for each in scores_of(metric, mean, tones, seeds)
    ]
    return EveryScore(
        tuple((metric, each.tone) for metric, each in found),
        np.array([each.draws for _, each in found]),
        images,
        noise_of([each for _, each in found], with_seeds=seeds is not None),
    )


def noise_of(scores: Sequence["OneScore"], *, with_seeds: bool) -> Noise:
    """What scores vary by beside draws of images, [scores]; without seeds where the entry was trained once."""
    n = np.array([each.n for each in scores])
    if not with_seeds:
        return Noise(n)
    variance, between, df = (
        np.array([getattr(each.seeds, of) for each in scores])
        for of in ("variance", "between", "df")
    )
    return Noise(n, SeedNoise(variance, between, df))


@dataclass(frozen=True, eq=False)
class OneScore:
    """A score as measured and in draws [draws], the groups of near-duplicates behind it, and what seeds add."""

    tone: str
    point: float
    draws: FloatArray
    n: float
    seeds: Seeds


def scores_of(
    metric: str, mean: SeedMean, tones: Sequence[str], seeds: SeedVariance | None
) -> list[OneScore]:
    """`all`, each tone, `worst` and `gap` of a metric; `all` alone where it compares the tones."""
    per_tone = metric_named(metric).per_tone
    names = (*tones, ALL) if per_tone else (ALL,)
    added, found = added_by(seeds, metric, mean, len(names)), []
    for slot, tone in enumerate(names):
        draws, point = mean.draws[:, slot], float(mean.point[slot])
        found.append(OneScore(tone, point, draws, float(mean.n[slot]), added[slot]))
    found = [found[-1], *found[:-1]]
    return found + _extremes(metric, mean, seeds) if per_tone else found


def _extremes(metric: str, mean: SeedMean, seeds: SeedVariance | None) -> list[OneScore]:
    """Worst tone and gap; what seeds add to them is by how much more they vary with seeds in each tone."""
    n = mean.n[:-1]
    fewest = float(n[n > 0].min()) if (n > 0).any() else 0.0
    points, added = extreme_points(metric, mean), added_by(seeds, metric, mean, len(n))
    images, *with_seeds = (
        extreme_draws(metric, mean, variance)
        for variance in ([0.0] * len(n), [s.variance for s in added], [s.between for s in added])
    )
    found = []
    for name in (WORST, GAP):
        variance, between = (_more(images[name], both[name]) for both in with_seeds)
        of_seeds = Seeds(variance, between, min(s.df for s in added))
        found.append(OneScore(name, points[name], images[name], fewest, of_seeds))
    return found


def _more(images: FloatArray, both: FloatArray) -> float:
    return max(float(variance_over(both, axis=0) - variance_over(images, axis=0)), 0.0)


def extreme_points(metric: str, mean: SeedMean) -> dict[str, float]:
    """Worst tone and gap of the mean over seeds, as measured."""
    tones = mean.point[:-1]
    larger = metric_named(metric).larger_is_better
    return {WORST: float(worst(tones, larger)), GAP: float(gap(tones))}
