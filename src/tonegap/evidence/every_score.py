"""Every score of an entry in every draw: what two entries are compared by, metric by metric and tone by tone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.evidence.comparing import few_images, worst_of
from tonegap.evidence.images import TestImages
from tonegap.evidence.intervals import Measured
from tonegap.score.arrays import FloatArray
from tonegap.score.tables import ALL, GAP, WORST, metric_named

# A metric, and a tone, `all`, `worst` or `gap`.
ScoreName = tuple[str, str]


@dataclass(frozen=True, eq=False)
class EveryScore:
    """Scores in each draw, [scores, draws], NaN where undefined; means over seeds.

    The draws are for comparisons: their noise is that of so few images as there are (see `few_images`).
    Entries with the same `images` were tested on the same ones, seed by seed.
    """

    names: tuple[ScoreName, ...]
    draws: FloatArray
    images: tuple[bytes, ...]


def every_score(
    seeds: Sequence[Mapping[str, Measured]], images: Sequence[TestImages]
) -> EveryScore:
    """The scores of an entry from every metric at every seed, and the images of each seed."""
    drawn: dict[ScoreName, FloatArray] = {}
    for metric in seeds[0]:
        for tone, values in _of_metric(metric, [s[metric] for s in seeds], images[0].tones).items():
            drawn[metric, tone] = values
    n = _n_units(images)
    draws = [few_images(values, n[tone]) for (_, tone), values in drawn.items()]
    return EveryScore(tuple(drawn), np.array(draws), tuple(i.digest for i in images))


def _of_metric(
    metric: str, seeds: Sequence[Measured], tones: Sequence[str]
) -> dict[str, FloatArray]:
    """`all`, each tone, `worst` and `gap`, means over seeds, [draws]; `all` alone where it compares tones."""
    found: dict[str, FloatArray] = {ALL: np.mean([s.draws.all for s in seeds], axis=0)}
    by_tone = [s.draws.tones for s in seeds if s.draws.tones is not None]
    if not (by_tone and metric_named(metric).per_tone):
        return found
    mean = np.mean(by_tone, axis=0)
    found |= {tone: mean[:, i] for i, tone in enumerate(tones)}
    worst = worst_of(metric_named(metric).larger_is_better)
    found[WORST] = np.mean([worst(values) for values in by_tone], axis=0)
    found[GAP] = np.mean([np.ptp(values, axis=1) for values in by_tone], axis=0)
    return found


def _n_units(images: Sequence[TestImages]) -> dict[str, int]:
    """How many near-duplicate groups stand behind each kind of score, at the seed with the fewest."""
    fewest = min(i.fewest_units for i in images)
    found = {ALL: min(len(np.unique(i.unit)) for i in images), WORST: fewest, GAP: fewest}
    for at, tone in enumerate(images[0].tones):
        found[tone] = min(len(np.unique(i.unit[i.tone == at])) for i in images)
    return found
