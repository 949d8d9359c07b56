"""Splits ranked entries into tie groups: entries that are statistically tied with the best of the group.

The mistake it exists to prevent: the best of ten equal entries found better than the worst of them. It
was picked for its luck, so its lead is held against the largest lead that luck gives among as many.
Sources: Tukey 1953, The Problem of Multiple Comparisons, on the range; Romano and Wolf 2005,
Econometrica 73(4), on taking it from joint draws. `benchmarks_of_code/bench_tie_groups.py` prints how often it errs.
"""

from collections.abc import Sequence

import numpy as np
from scipy.special import ndtri

from tonegap.arrays import BoolArray, FloatArray
from tonegap.scores.evidence.comparing import ALPHA, ResampledScores, alone, errors_of, is_told


def tie_groups(
    ranked: Sequence[ResampledScores], score: str, larger_is_better: bool = True
) -> list[int]:
    """The tie group of each entry from best to worst, from 1: entries that its best is not significantly better than.

    At the 5 % level, over all entries that are left. One that was tested on other images than the best
    of a group, was trained once, or whose score is undefined in its draws, is tied with it. So is one behind
    that is better by this score, where ranks follow another.
    """
    groups: list[int] = []
    while len(groups) < len(ranked):
        left = ranked[len(groups) :]
        apart = _told_from_first(left, score, larger_is_better)
        width = int(apart.argmax()) if apart.any() else len(left)
        groups += [max(groups, default=0) + 1] * width
    return groups


def _told_from_first(
    left: Sequence[ResampledScores], score: str, larger_is_better: bool
) -> BoolArray:
    """Which entries differ from the first of them, [entries]."""
    able = [i for i, drawn in enumerate(left) if _is_comparable(drawn, left[0], score)]
    apart = np.zeros(len(left), dtype=np.bool_)
    if able[:1] != [0]:
        return apart
    lead = left[0].point[score] - np.array([left[i].point[score] for i in able])
    largest = _largest_leads([method_noise(left[i], score, i) for i in able])
    as_large = (largest[:, None] >= np.abs(lead) - 1e-12).sum(axis=0)
    behind = lead > 0 if larger_is_better else lead < 0
    apart[able] = behind & ((1 + as_large) / (1 + len(largest)) < ALPHA)
    return apart


def method_noise(drawn: ResampledScores, score: str, i: int) -> FloatArray:
    """What images and seeds move an entry's score by in each draw, as far as Student's t has it, [draws].

    What images do is drawn alike for all entries; what seeds do is each entry's own.
    """
    draws, noise = drawn.draws[score], drawn.noise[score]
    errors, n = errors_of(draws[None], noise, alone(noise)), np.maximum(noise.n, 2)
    images = (draws - draws[np.isfinite(draws)].mean()) * np.sqrt(n / (n - 1))
    of_seeds = 0.0 if noise.seeds is None else np.sqrt(noise.seeds.variance)
    rng = np.random.default_rng([2, i])
    wider = errors.reach() / errors.size / -ndtri(ALPHA / 2)
    found: FloatArray = wider * (images + of_seeds * rng.normal(size=len(draws)))
    return found


def _is_comparable(one: ResampledScores, first: ResampledScores, score: str) -> bool:
    if one.images != first.images or score not in one.draws:
        return False
    if one.noise[score].seeds is None:
        return False
    return bool(is_told(one.draws[score]))


def _largest_leads(draws: Sequence[FloatArray]) -> FloatArray:
    """Largest minus smallest of the entries' noise in each draw that is defined for one at least, [draws]."""
    highest = np.full(len(draws[0]), -np.inf)
    lowest = np.full(len(draws[0]), np.inf)
    for noise in draws:
        np.fmax(highest, noise, out=highest)
        np.fmin(lowest, noise, out=lowest)
    largest: FloatArray = highest - lowest
    return largest[np.isfinite(largest)]
