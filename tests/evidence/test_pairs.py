"""All pairs of entries at once: the same as pair by pair, and honest about how many there are."""

import numpy as np
import pytest

from tonegap.evidence.comparing import holm, paired
from tonegap.evidence.every_score import EveryScore
from tonegap.evidence.pairs import compare_all, holm_of_each

NAMES = (("accuracy", "all"), ("accuracy", "worst"))
IMAGES = (b"seed 0",)


def entries(n, seed=0, n_draws=2000):
    rng = np.random.default_rng(seed)
    draws = rng.normal(0.7, 0.02, (n, len(NAMES), n_draws))
    return [EveryScore(NAMES, each, IMAGES) for each in draws]


def test_pairs_come_first_against_later_ones_and_are_those_that_one_pair_gives():
    point, some = np.array([[0.75, 0.6], [0.7, 0.5], [0.71, 0.4]]), entries(3)
    found = compare_all(point, some)
    order = [(0, 1), (0, 2), (1, 2)]
    assert found.difference[:, 0] == pytest.approx([0.05, 0.04, -0.01])
    for row, (i, j) in enumerate(order):
        for k in range(2):
            one = paired(some[i].draws[k], some[j].draws[k], point[i, k] - point[j, k])
            assert found.low[row, k] == pytest.approx(one.low)
            assert found.high[row, k] == pytest.approx(one.high)


def test_many_entries_give_every_pair_once_in_order():
    point = np.arange(30.0)[:, None] * [0.01, 0.0]
    found = compare_all(point, entries(30, n_draws=100))
    wanted = [0.01 * (i - j) for i in range(30) for j in range(i + 1, 30)]
    assert found.difference[:, 0] == pytest.approx(wanted)
    assert found.difference.shape == (435, 2)


def test_holm_of_each_column_is_holm_and_skips_the_undefined():
    # Sorted 0.01, 0.02, 0.04 of three: 0.03, 0.04, max(0.04, 0.04) = 0.04.
    p = np.array([[0.04, 0.5], [0.01, np.nan], [0.02, 0.01]])
    corrected = holm_of_each(p)
    assert corrected[:, 0] == pytest.approx([0.04, 0.03, 0.04])
    assert corrected[:, 0] == pytest.approx(holm(p[:, 0].tolist()))
    # Of two: 2 x 0.01, then 0.5.
    assert corrected[[2, 0], 1] == pytest.approx([0.02, 0.5])
    assert np.isnan(corrected[1, 1])


def test_a_difference_far_beyond_every_draw_survives_the_correction_for_780_pairs():
    # 2,000 draws alone give no p below 1 in 2,001, and 780 of that is 0.39.
    point = np.full((40, 2), 0.7)
    point[0] = 0.9  # 7 standard deviations of a difference: 0.2 / (0.02 x 1.41)
    found = compare_all(point, entries(40))
    assert found.p[:39, 0].max() < 1e-6
    assert found.p[39:, 0].min() > 0.5


def test_entries_that_are_the_same_are_never_told_apart():
    (one,) = entries(1)
    found = compare_all(np.array([[0.7, 0.6]] * 2), [one, one])
    assert found.p.tolist() == [[1.0, 1.0]]
    assert found.low.tolist() == found.high.tolist() == [[0.0, 0.0]]


def test_a_pair_on_other_images_or_undefined_in_many_draws_is_undefined():
    first, second, third = entries(3)
    elsewhere = EveryScore(NAMES, second.draws, (b"seed 1",))
    holes = third.draws.copy()
    holes[0, :101] = np.nan  # more than 5 % of 2,000
    found = compare_all(np.zeros((3, 2)), [first, elsewhere, EveryScore(NAMES, holes, IMAGES)])
    assert np.isnan(found.p[0]).all()
    assert np.isnan(found.p[1, 0])
    assert np.isfinite(found.p[1, 1])


def test_equal_entries_are_told_apart_in_at_most_about_one_table_of_twenty():
    n_tables, wrong = 120, 0
    for seed in range(n_tables):
        rng = np.random.default_rng([5, seed])
        point = 0.7 + rng.normal(0, 0.02, (6, 2))
        wrong += bool((compare_all(point, entries(6, seed, 1000)).p[:, 0] < 0.05).any())
    assert wrong <= 12  # 6 are expected; 13 or more have a chance of 1 %
