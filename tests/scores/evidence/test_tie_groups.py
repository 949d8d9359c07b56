"""Ranked entries into tie groups."""

from dataclasses import replace

import numpy as np
import pytest

from tonegap.scores.evidence.comparing import Noise, ResampledScores, SeedNoise
from tonegap.scores.evidence.tie_groups import tie_groups
from tonegap.scores.tables import WORST


def beside(seeds=0.0, df=1e6):
    """Noise beside that of very many images."""
    parts = (np.array([value]) for value in (seeds, seeds, df))
    return {WORST: Noise(np.array([1e6]), SeedNoise(*parts))}


def entries(*points, noise=0.01, **seeds):
    """Entries with these scores on the same images, each with normal noise of its own in 4,000 draws."""
    rng = np.random.default_rng(0)
    return [
        ResampledScores(
            {WORST: p}, {WORST: p + rng.normal(0, noise, 4000)}, (b"one",), beside(**seeds)
        )
        for p in points
    ]


def test_entries_that_the_best_of_a_band_is_not_better_than_share_it():
    assert tie_groups(entries(0.90, 0.89, 0.50, 0.49), WORST) == [1, 1, 2, 2]


def test_the_lead_of_the_best_of_many_must_be_larger_than_that_of_one_of_two():
    # Of two, 95 % of the leads are below 1.96 x 0.01 x root 2 = 0.028; of ten, below 4.47 x 0.01 = 0.045.
    assert tie_groups(entries(0.80, 0.765), WORST) == [1, 2]
    assert tie_groups(entries(*[0.80] * 9, 0.765), WORST) == [1] * 10
    assert tie_groups(entries(*[0.80] * 9, 0.750), WORST) == [1] * 9 + [2]


def test_an_entry_behind_that_is_better_by_this_score_is_not_set_apart():
    assert tie_groups(entries(0.50, 0.90, 0.10), WORST) == [1, 1, 2]
    assert tie_groups(entries(0.50, 0.10, 0.90), WORST, larger_is_better=False) == [1, 1, 2]


def test_noise_that_entries_share_tells_nothing_about_their_order():
    common = np.random.default_rng(0).normal(0, 0.1, 4000)
    together = [replace(e, draws={WORST: e.draws[WORST] + common}) for e in entries(0.80, 0.765)]
    assert tie_groups(together, WORST) == [1, 2]


def test_an_entry_tested_on_other_images_cannot_be_told_from_the_best():
    best, other, poor = entries(0.9, 0.5, 0.4)
    assert tie_groups([best, replace(other, images=(b"two",)), poor], WORST) == [1, 1, 2]


@pytest.mark.parametrize(("undefined", "groups"), [(40, [1, 2]), (2000, [1, 1])])
def test_an_entry_undefined_in_most_draws_cannot_be_told_from_the_best(undefined, groups):
    best, poor = entries(0.9, 0.5)
    draws = poor.draws[WORST].copy()
    draws[:undefined] = np.nan
    assert tie_groups([best, replace(poor, draws={WORST: draws})], WORST) == groups


def test_no_entry_has_no_band():
    assert tie_groups([], WORST) == []


def test_what_seeds_add_is_each_entrys_own_and_may_hide_a_lead():
    # Alone, a lead of 0.035 is beyond 1.96 x 0.01 x root 2 = 0.028; with seeds of variance 0.0003 more, 0.02 each, it
    # is not beyond 1.96 x 0.02 x root 2 = 0.055, and one of 0.06 is.
    assert tie_groups(entries(0.80, 0.765, seeds=0.0003), WORST) == [1, 1]
    assert tie_groups(entries(0.80, 0.740, seeds=0.0003), WORST) == [1, 2]


def test_few_degrees_of_freedom_need_a_larger_lead():
    # Satterthwaite: 0.0004^2 / (0.0003^2 / 2) = 3.6 for each, of which Student's t at 97.5 % is 2.9: 0.082.
    assert tie_groups(entries(0.80, 0.735, seeds=0.0003, df=2), WORST) == [1, 1]
    assert tie_groups(entries(0.80, 0.700, seeds=0.0003, df=2), WORST) == [1, 2]


def test_an_entry_trained_once_cannot_be_told_from_the_best():
    best, poor = entries(0.9, 0.5)
    once = replace(poor, noise={WORST: Noise(np.array([1e6]))})
    assert tie_groups([best, once], WORST) == [1, 1]
    assert tie_groups([replace(best, noise=once.noise), poor], WORST) == [1, 1]
