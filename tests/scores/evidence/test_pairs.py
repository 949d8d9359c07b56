"""All pairs of entries at once: the same as pair by pair, and honest about how many there are."""

import numpy as np
import pytest

from tonegap.scores.evidence.comparing import Noise, SeedNoise, paired
from tonegap.scores.evidence.every_score import EveryScore
from tonegap.scores.evidence.pairs import compare_all

NAMES = (("accuracy", "all"), ("accuracy", "worst"))
IMAGES = (b"seed 0",)


LARGEST = np.ones(2)


def noise(seeds=0.0, n=1e6):
    """Noise of both scores beside that of draws; `seeds` None: trained once."""
    if seeds is None:
        return Noise(np.full(2, n))
    return Noise(np.full(2, n), SeedNoise(np.full(2, seeds), np.full(2, seeds), np.full(2, 1e6)))


def entries(n, seed=0, n_draws=2000, beside=None):
    rng = np.random.default_rng(seed)
    draws = rng.normal(0.7, 0.02, (n, len(NAMES), n_draws))
    return [EveryScore(NAMES, each, IMAGES, beside or noise()) for each in draws]


def test_pairs_come_first_against_later_ones_and_are_those_that_one_pair_gives():
    point, some = np.array([[0.75, 0.6], [0.7, 0.5], [0.71, 0.4]]), entries(3)
    found = compare_all(point, some, LARGEST)
    order = [(0, 1), (0, 2), (1, 2)]
    assert found.difference[:, 0] == pytest.approx([0.05, 0.04, -0.01])
    for row, (i, j) in enumerate(order):
        for k in range(2):
            drawn = some[i].draws[k] - some[j].draws[k]
            one = paired(point[i, k] - point[j, k], drawn, noise().among([k]), noise().among([k]))
            assert one.p <= found.p[row, k] <= 6 * one.p + 1e-9
            assert found.low[row, k] <= one.low < one.high <= found.high[row, k]


def test_the_correction_is_over_all_pairs_and_all_scores():
    # Of 3 pairs x 2 scores, 0.28 is 9.9 standard errors of 0.0283, and no other difference is 1: times 6.
    point = np.array([[0.7, 0.5], [0.7, 0.5], [0.6, 0.5]])
    point[0, 1] = 0.6
    some = entries(3)
    found = compare_all(point, some, LARGEST)
    alone = compare_all(
        point[:2, 1:],
        [EveryScore(NAMES[1:], e.draws[1:], IMAGES, noise().among([1])) for e in some[:2]],
        LARGEST[:1],
    )
    assert found.p[0, 1] >= 3 * alone.p[0, 0]
    assert found.p[0, 1] <= 6 * alone.p[0, 0] + 1e-12


@pytest.mark.parametrize("seed", range(5))
def test_an_interval_leaves_0_out_just_where_its_corrected_p_is_below_5_percent(seed):
    point = np.random.default_rng(seed).normal(0.7, 0.08, (8, 2))
    found = compare_all(point, entries(8, seed, 500), LARGEST)
    leaves_out = (found.low > 0) | (found.high < 0)
    assert leaves_out.tolist() == (found.p < 0.05).tolist()
    assert 0 < leaves_out.sum() < leaves_out.size


def test_what_seeds_add_is_in_every_difference():
    # Draws: 0.02^2 x 2; seeds: 0.03^2 x 2. 1.96 x root 0.0026 = 0.0999 for one pair; Holm over 2 scores: 2.2414.
    found = compare_all(
        np.array([[0.8, 0.8], [0.7, 0.7]]), entries(2, beside=noise(0.0009)), LARGEST
    )
    half = found.high - found.difference
    assert half.max() == pytest.approx(2.2414 * np.sqrt(0.0026), rel=0.03)


def test_of_an_entry_trained_once_the_difference_alone_is_said():
    once = entries(1, 3, beside=noise(None))
    found = compare_all(np.array([[0.8, 0.8], [0.3, 0.3]]), [*entries(1), *once], LARGEST)
    assert found.difference.tolist() == [[0.5, 0.5]]
    assert np.isnan(found.p).all()
    assert np.isnan(found.low).all()


def test_many_entries_give_every_pair_once_in_order():
    point = np.arange(30.0)[:, None] * [0.01, 0.0]
    found = compare_all(point, entries(30, n_draws=100), LARGEST)
    wanted = [0.01 * (i - j) for i in range(30) for j in range(i + 1, 30)]
    assert found.difference[:, 0] == pytest.approx(wanted)
    assert found.difference.shape == (435, 2)


def test_a_difference_far_beyond_every_draw_survives_the_correction_for_1560():
    point = np.full((40, 2), 0.7)
    point[0] = 0.9  # 7 standard errors of a difference: 0.2 / (0.02 x 1.41)
    found = compare_all(point, entries(40), LARGEST)
    assert found.p[:39, 0].max() < 1e-6
    assert found.p[39:, 0].min() > 0.5


def test_entries_that_are_the_same_are_never_told_apart_nor_certain():
    (one,) = entries(1, beside=noise(0.0, 98))
    found = compare_all(np.array([[0.7, 0.6]] * 2), [one, one], LARGEST)
    assert found.p.tolist() == [[1.0, 1.0]]
    # One image more on each side: 1 / 100 times Student's t with 97 degrees, one of two: 2.277.
    assert found.high[0] == pytest.approx([0.0228, 0.0228], abs=2e-4)


def test_a_pair_on_other_images_or_undefined_in_many_draws_is_undefined():
    first, second, third = entries(3)
    elsewhere = EveryScore(NAMES, second.draws, (b"seed 1",), noise())
    holes = third.draws.copy()
    holes[0, :101] = np.nan  # more than 5 % of 2,000
    few = EveryScore(NAMES, holes, IMAGES, noise())
    found = compare_all(np.zeros((3, 2)), [first, elsewhere, few], LARGEST)
    assert np.isnan(found.p[0]).all()
    assert np.isnan(found.difference[0]).all()
    assert np.isnan(found.p[1, 0])
    assert np.isfinite(found.p[1, 1])


def test_equal_entries_are_told_apart_in_at_most_about_one_table_of_twenty():
    n_tables, wrong = 120, 0
    for seed in range(n_tables):
        rng = np.random.default_rng([5, seed])
        point = 0.7 + rng.normal(0, 0.02, (6, 2))
        wrong += bool((compare_all(point, entries(6, seed, 1000), LARGEST).p < 0.05).any())
    assert wrong <= 12  # 6 are expected; 13 or more have a chance of 1 %
