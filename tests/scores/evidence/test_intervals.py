"""Intervals of scores: how wide, where, and how often they hold the truth."""

import numpy as np
import pytest

from tonegap.scores.evidence.intervals import intervals_of, more_by_student
from tonegap.scores.evidence.proportions import Seeds
from tonegap.scores.evidence.seeds import SeedMean
from tonegap.scores.evidence.worst_and_gap import Sample, gap_interval, worst_interval
from tonegap.scores.tables import ALL, GAP, WORST


def sample(scores, sd, seed=0, n=2000):
    rng = np.random.default_rng(seed)
    return Sample(np.array(scores), rng.normal(0, sd, size=(n, len(scores))))


def one_seed(metric, point, draws, n=100):
    """The intervals of one seed; tones and all, or all alone, [slots] and [draws, slots]."""
    point, draws = np.array(point), np.asarray(draws)
    tones = ("I", "VI")[: len(point) - 1]
    return intervals_of(
        metric, SeedMean(point, draws, np.full(len(point), float(n)), 1, None, None), tones
    )


def test_the_interval_of_a_score_is_wilsons_of_as_many_images_as_its_draws_are_worth():
    # Draws of 0.8 with variance 0.0016 are worth 0.16 / 0.0016 = 100 images, though 60 groups stand behind them, at
    # one seed never more than those: 0.8 of 60 is 0.6822 to 0.8817, of 40 (variance 0.004) 0.6524 to 0.8950.
    swing = np.tile([1.0, -1.0], 500)[:, None] * [1, 1, 1]
    found = one_seed("accuracy", [0.8] * 3, 0.8 + 0.04 * swing, n=60)
    assert (found[ALL].low, found[ALL].high) == pytest.approx((0.6822, 0.8817), abs=1e-3)
    found = one_seed("accuracy", [0.8] * 3, 0.8 + np.sqrt(0.004) * swing, n=60)
    assert (found["VI"].low, found["VI"].high) == pytest.approx((0.6524, 0.8950), abs=1e-3)


def test_the_worst_of_tones_without_a_right_image_reaches_as_far_as_all_images_allow():
    # 0 of 5 and 0 of 30, of 35 together. Wilson's upper end of 0 of n is z² / (n + z²), z² = 3.8415: of 35 0.0989,
    # of 30 0.1135, of 5 0.4345. The worst tone is no better than all together: 0.0989.
    point, draws = np.zeros(3), np.zeros((500, 3))
    mean = SeedMean(point, draws, np.array([5.0, 30.0, 35.0]), 1, None, None)
    worst = intervals_of("accuracy", mean, ("I", "VI"))[WORST]
    assert worst.low == 0
    assert worst.high == pytest.approx(3.8415 / (35 + 3.8415), abs=1e-3)


def test_a_score_undefined_in_many_draws_has_no_interval():
    draws = np.random.default_rng(0).normal(0.5, 0.1, (100, 3))
    draws[:20, 1] = np.nan
    found = one_seed("balanced_accuracy", [0.5] * 3, draws)
    assert found["VI"].low is None
    assert found["VI"].reason == "undefined in 20% of the resamples: too few such images"
    assert found[WORST].low is None
    assert found[GAP].low is None
    assert 0.2 < found["I"].low < 0.5


def test_a_clear_gap_has_the_interval_of_a_difference_of_two_means():
    low, high = gap_interval(sample([0.5, 0.7, 0.9], 0.01), 0.95)
    half = 1.96 * 0.01 * np.sqrt(2)
    assert low == pytest.approx(0.4 - half, abs=0.003)
    assert high == pytest.approx(0.4 + half, abs=0.003)


def test_the_interval_of_a_gap_that_noise_explains_begins_at_0():
    low, high = gap_interval(sample([0.80, 0.81, 0.79, 0.80], 0.02), 0.95)
    assert low == 0
    assert 0.02 < high < 0.1


def test_a_tone_without_any_noise_is_no_division_by_0():
    s = sample([0.5, 1.0], 0.02)
    s.noise[:, 1] = 0
    low, high = gap_interval(s, 0.95)
    assert low == pytest.approx(0.5 - 1.96 * 0.02, abs=0.004)
    assert high == pytest.approx(0.5 + 1.96 * 0.02, abs=0.004)


def test_the_worst_of_lower_is_better_is_the_highest():
    up = worst_interval(sample([0.5, 0.7, 0.9], 0.01), 0.95, larger_is_better=True)
    down = worst_interval(sample([0.5, 0.3, 0.1], 0.01, seed=0), 0.95, larger_is_better=False)
    assert up[0] < 0.5 < up[1]
    assert down[0] < 0.5 < down[1]


@pytest.mark.parametrize(
    ("n", "truth"),
    [
        ((42, 48, 41), (0.85, 0.82, 0.80)),  # as many images as a test split of DDI
        ((42, 48, 41), (0.90, 0.73, 0.85)),
        ((589, 962, 662, 556, 307, 127), (0.82, 0.81, 0.80, 0.79, 0.78, 0.77)),  # of Fitzpatrick17k
    ],
)
def test_95_percent_intervals_of_gaps_hold_the_truth(n, truth):
    rng = np.random.default_rng(3)
    n, truth = np.array(n), np.array(truth)
    held = 0
    for _ in range(200):
        scores = rng.binomial(n, truth) / n
        noise = rng.binomial(n, scores, size=(400, len(n))) / n - scores
        low, high = gap_interval(Sample(scores, noise, n.astype(float)), 0.95)
        held += low <= np.ptp(truth) <= high
    # 200 trials of a chance of 0.95 give 180 to 198 in 99.9 % of cases.
    assert 180 <= held <= 199


def test_the_truth_of_equal_tones_is_in_the_interval_though_percentiles_never_have_it():
    rng = np.random.default_rng(4)
    n = np.array([42, 48, 41])
    held = percentile = 0
    for _ in range(100):
        scores = rng.binomial(n, 0.82) / n
        noise = rng.binomial(n, scores, size=(400, 3)) / n - scores
        held += gap_interval(Sample(scores, noise, n.astype(float)), 0.95)[0] == 0
        percentile += np.quantile(np.ptp(scores + noise, axis=1), 0.025) <= 0
    assert held >= 90
    assert percentile <= 5


def test_a_score_that_compares_tones_has_no_interval_and_says_why():
    found = one_seed("pqd", [0.95], np.linspace(0, 1, 50)[:, None])[ALL]
    assert (found.low, found.high) == (None, None)
    assert "see its null" in found.reason


@pytest.mark.parametrize(
    "scores", [(1.0, 1.0, 1.0), (0.8, 0.8, 0.8), (0.0, 1.0, 1.0), (0.4, 1.0, 0.8)]
)
def test_of_five_images_each_worst_and_gap_have_a_width_and_stay_within_0_and_1(scores):
    rng, n = np.random.default_rng(0), np.full(3, 5.0)
    scores = np.array(scores)
    found = Sample(scores, rng.binomial(5, scores, size=(500, 3)) / 5 - scores, n)
    for low, high in (
        gap_interval(found, 0.95),
        worst_interval(found, 0.95, larger_is_better=True),
    ):
        assert 0 <= low < high <= 1
    low, high = gap_interval(found, 0.95)
    assert low <= np.ptp(scores) <= high


def test_the_worst_of_one_tone_that_is_always_right_is_wilsons():
    # 20 of 20: 20 / (20 + 1.96^2) = 0.839.
    found = Sample(np.array([1.0]), np.zeros((20000, 1)), np.array([20.0]))
    low, high = worst_interval(found, 0.95, larger_is_better=True)
    assert low == pytest.approx(0.839, abs=0.01)
    assert high == 1.0


def test_what_few_seeds_add_is_widened_as_students_t_is():
    # Images 0.0004, seeds 0.0003 with 2 degrees of freedom: 0.0007^2 / (0.0003^2 / 2) = 10.89, of which t is 2.2037,
    # 1.12436 times the normal's: 1.26418 x 0.0007 - 0.0004. Where seeds were never apart nothing is added.
    added = [Seeds(0.0003, 0.0003, 2.0), Seeds(0.0, 0.0, 2.0)]
    found = more_by_student(np.array([0.0004, 0.0004]), added)
    assert found == pytest.approx([1.26418 * 0.0007 - 0.0004, 0.0], abs=1e-7)


def test_the_worst_tone_of_few_images_is_held_as_often_as_of_many():
    # Noise of 1 of 5 is skewed the wrong way for a true score of 0.5: taken as it is, 73 % would be held.
    rng, n, truth = np.random.default_rng(1), np.full(3, 5), np.array([0.9, 0.8, 0.5])
    held = 0
    for _ in range(100):
        scores = rng.binomial(n, truth) / n
        noise = rng.binomial(n, scores, size=(300, 3)) / n - scores
        low, high = worst_interval(
            Sample(scores, noise, n.astype(float)), 0.95, larger_is_better=True
        )
        held += low <= 0.5 <= high
    assert held >= 86  # of 95 expected, 85 or fewer have a chance of 0.1 %


def test_a_gap_of_tones_that_are_all_nearly_right_is_held_as_often_as_others():
    # A tone that is right in all 48 images by luck has hardly any noise; drawn to it, 82 % of gaps of 0 would be held.
    rng, n, truth = np.random.default_rng(1), np.array([42, 48, 41]), 0.98
    held = 0
    for _ in range(100):
        scores = rng.binomial(n, truth) / n
        noise = rng.binomial(n, scores, size=(300, 3)) / n - scores
        held += gap_interval(Sample(scores, noise, n.astype(float)), 0.95)[0] <= 0
    assert held >= 88


def test_tones_are_weighed_by_their_images_where_a_gap_is_supposed():
    # 4 of 5 and 20 of 20 are 25 of 27 with one right and one wrong more: 0.06859, over 5 and over 20 images.
    sample = Sample(
        np.array([0.8, 1.0]),
        np.sqrt(0.032) * np.tile([[1.0], [-1.0]], (50, 2)),
        np.array([5.0, 20.0]),
    )
    assert sample.if_alike == pytest.approx([0.0685871 / 5, 0.0685871 / 20], rel=1e-4)
