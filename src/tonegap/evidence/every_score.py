"""Every score of an entry in every draw: what two entries are compared by, metric by metric and tone by tone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.evidence.comparing import Noise
from tonegap.evidence.intervals import extreme_draws
from tonegap.evidence.measured import variance_over
from tonegap.evidence.seeds import SeedMean, SeedVariance
from tonegap.score.arrays import FloatArray
from tonegap.score.tables import ALL, GAP, WORST, metric_named

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
        Noise(
            np.array([each.n for _, each in found]),
            None if seeds is None else np.array([each.seeds for _, each in found]),
            np.array([each.df for _, each in found]),
        ),
    )


@dataclass(frozen=True, eq=False)
class OneScore:
    """A score's draws [draws], the groups of near-duplicates behind it, what seeds add and with which df."""

    tone: str
    point: float
    draws: FloatArray
    n: float
    seeds: float
    df: float


def scores_of(
    metric: str, mean: SeedMean, tones: Sequence[str], seeds: SeedVariance | None
) -> list[OneScore]:
    """`all`, each tone, `worst` and `gap` of a metric; `all` alone where it compares the tones."""
    per_tone = metric_named(metric).per_tone
    names = (*tones, ALL) if per_tone else (ALL,)
    found = []
    for slot, tone in enumerate(names):
        added = seeds.of_mean(metric, slot, mean.n_seeds) if seeds else None
        draws, point = mean.draws[:, slot], float(mean.point[slot])
        of_seeds = (added.variance, added.df) if added else (0.0, 1.0)
        found.append(OneScore(tone, point, draws, float(mean.n[slot]), *of_seeds))
    found = [found[-1], *found[:-1]]
    return found + _extremes(metric, mean, seeds) if per_tone else found


def _extremes(metric: str, mean: SeedMean, seeds: SeedVariance | None) -> list[OneScore]:
    """Worst tone and gap; what seeds add to them is by how much more they vary with seeds in each tone."""
    points, images = extreme_points(metric, mean), extreme_draws(metric, mean, None)
    both = images if seeds is None else extreme_draws(metric, mean, seeds)
    n = mean.n[:-1]
    fewest = float(n[n > 0].min()) if (n > 0).any() else 0.0
    df = 1.0 if seeds is None else float(seeds.df[metric][:-1].min())
    return [
        OneScore(name, points[name], images[name], fewest, _more(images[name], both[name]), df)
        for name in (WORST, GAP)
    ]


def _more(images: FloatArray, both: FloatArray) -> float:
    return max(float(variance_over(both, axis=0) - variance_over(images, axis=0)), 0.0)


def extreme_points(metric: str, mean: SeedMean) -> dict[str, float]:
    """Worst tone and gap of the mean over seeds, as measured."""
    tones = mean.point[:-1]
    larger = metric_named(metric).larger_is_better
    return {
        WORST: float(tones.min() if larger else tones.max()),
        GAP: float(tones.max() - tones.min()),
    }
