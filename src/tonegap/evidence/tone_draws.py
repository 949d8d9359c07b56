"""How much chance there is in each tone's score of each entry, on the same draws of the test images."""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from tonegap.evidence.answers import TestAnswers
from tonegap.evidence.draws import draw_weights
from tonegap.evidence.images import TestImages, answers, tone_indices
from tonegap.evidence.replicates import replicates
from tonegap.evidence.tally import tally
from tonegap.score.arrays import FloatArray
from tonegap.score.rules import ScoringRules

N_DRAWS = 400


def tone_draws(
    seeds: Sequence[TestAnswers],
    positive: tuple[str, ...],
    tones: tuple[str, ...],
    metric: str,
    n_draws: int = N_DRAWS,
) -> FloatArray | None:
    """An entry's score of each tone, mean over its seeds, in each draw, [draws, tones]; NaN where undefined.

    The draws are those of whole units within a tone; entries on the same images have the same ones. As draws with
    replacement vary too little, by (n - 1) / n, they are set apart from their middle by that much. None for a
    metric without a score of each tone.
    """
    found = []
    for seed in seeds:
        rules = ScoringRules(seed.classes, positive, seed.threshold, 1, tones)
        y = seed.y
        images = TestImages(
            seed.ids, y, tone_indices(seed.tones, tones), np.array(seed.units), tones
        )
        counted = tally(
            images, answers(seed.p, y, rules), _weights(images, n_draws), metric == "auc"
        )
        drawn = replicates(counted, bool(positive), between=False).get(metric)
        if drawn is None or drawn.tones is None:
            return None
        n_units = np.array(
            [max(len(set(images.unit[images.tone == t].tolist())), 2) for t in range(len(tones))]
        )
        middle = drawn.tones.mean(axis=0)
        found.append(middle + np.sqrt(n_units / (n_units - 1)) * (drawn.tones - middle))
    draws: FloatArray = np.mean(found, axis=0)
    return draws


@lru_cache(maxsize=8)
def _weights(images: TestImages, n_draws: int) -> FloatArray:
    return draw_weights(images, n_draws)
