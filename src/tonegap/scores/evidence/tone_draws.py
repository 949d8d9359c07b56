"""Draws the test images again to measure the chance in each tone's score, on the same draws for every entry."""

from collections.abc import Sequence

import numpy as np

from tonegap.arrays import FloatArray
from tonegap.scores.counts import answers, count_draws
from tonegap.scores.evidence.bootstrap import draw_weights
from tonegap.scores.evidence.images import TestAnswers, images_of
from tonegap.scores.evidence.seeds import unbiased, units_of
from tonegap.scores.formulas import metric_values
from tonegap.scores.rules import ScoringRules

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
    replacement vary too little, by (n - 1) / n, they are moved away from their middle by that much. None for a
    metric without a score of each tone.
    """
    images = tuple(images_of(seed, tones) for seed in seeds)
    found = []
    for seed, of_seed, weights in zip(seeds, images, draw_weights(images, n_draws), strict=True):
        rules = ScoringRules(seed.classes, positive, seed.threshold, 1, tones)
        said = answers(seed.p, of_seed.y, rules)
        counts = count_draws(
            of_seed.y, of_seed.tone, len(tones), said, weights, with_auc=metric == "auc"
        )
        drawn = metric_values(counts, bool(positive), between=False).get(metric)
        if drawn is None:
            return None
        middle, n = drawn[:, :-1].mean(axis=0), units_of(of_seed)[:-1]
        wider = np.sqrt(unbiased(np.ones(len(tones)), n))
        found.append(middle + wider * (drawn[:, :-1] - middle))
    draws: FloatArray = np.mean(found, axis=0)
    return draws
