"""Intervals of scores: how wide, where, and how often they hold the truth."""

import numpy as np
import pytest

from tonegap.evidence.extremes import Sample, gap_interval, worst_interval
from tonegap.evidence.intervals import Measured, intervals_of
from tonegap.evidence.replicates import Replicates
from tonegap.score.tables import ALL, GAP, WORST


def sample(scores, sd, seed=0, n=2000):
    rng = np.random.default_rng(seed)
    return Sample(np.array(scores), rng.normal(0, sd, size=(n, len(scores))))


def test_the_interval_of_one_tone_is_the_middle_of_its_draws():
    draws = np.linspace(0, 1, 1001)
    point, drawn = Replicates(np.array([[0.5]]), np.array([0.5])), Replicates(draws[:, None], draws)
    found = intervals_of("accuracy", [Measured(point, drawn)], ("I",))
    for score in (ALL, "I"):
        assert found[score].low == pytest.approx(0.025)
        assert found[score].high == pytest.approx(0.975)


def test_seeds_are_averaged_within_a_draw():
    # What one seed gains in a draw the other loses: their mean does not vary.
    up = np.linspace(0, 1, 101)
    point = Replicates(np.array([[0.5]]), np.array([0.5]))
    seeds = [Measured(point, Replicates(x[:, None], x)) for x in (up, 1 - up)]
    found = intervals_of("accuracy", seeds, ("I",))[ALL]
    assert (found.low, found.high) == (pytest.approx(0.5), pytest.approx(0.5))


def test_a_score_undefined_in_many_draws_has_no_interval():
    draws = np.full((100, 2), 0.5)
    draws[:20, 1] = np.nan
    values = Replicates(draws, np.full(100, 0.5))
    found = intervals_of(
        "auc", [Measured(Replicates(draws[-1:], values.all[:1]), values)], ("I", "VI")
    )
    assert found["VI"].low is None
    assert found["VI"].reason == "undefined in 20% of the draws: too few such images"
    assert found[WORST].low is None
    assert found[GAP].low is None
    assert found["I"].low == 0.5


def test_a_clear_gap_has_the_interval_of_a_difference_of_two_means():
    low, high = gap_interval([sample([0.5, 0.7, 0.9], 0.01)], 0.95)
    half = 1.96 * 0.01 * np.sqrt(2)
    assert low == pytest.approx(0.4 - half, abs=0.003)
    assert high == pytest.approx(0.4 + half, abs=0.003)


def test_the_interval_of_a_gap_that_noise_explains_begins_at_0():
    low, high = gap_interval([sample([0.80, 0.81, 0.79, 0.80], 0.02)], 0.95)
    assert low == 0
    assert 0.02 < high < 0.1


def test_a_tone_without_any_noise_is_no_division_by_0():
    s = sample([0.5, 1.0], 0.02)
    s.noise[:, 1] = 0
    low, high = gap_interval([s], 0.95)
    assert low == pytest.approx(0.5 - 1.96 * 0.02, abs=0.004)
    assert high == pytest.approx(0.5 + 1.96 * 0.02, abs=0.004)


def test_the_worst_of_lower_is_better_is_the_highest():
    up = worst_interval([sample([0.5, 0.7, 0.9], 0.01)], 0.95, larger_is_better=True)
    down = worst_interval([sample([0.5, 0.3, 0.1], 0.01, seed=0)], 0.95, larger_is_better=False)
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
        low, high = gap_interval([Sample(scores, noise)], 0.95)
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
        held += gap_interval([Sample(scores, noise)], 0.95)[0] == 0
        percentile += np.quantile(np.ptp(scores + noise, axis=1), 0.025) <= 0
    assert held >= 90
    assert percentile <= 5


def test_a_score_that_compares_tones_has_no_interval_and_says_why():
    measured = Measured(Replicates(None, np.array([0.95])), Replicates(None, np.linspace(0, 1, 50)))
    found = intervals_of("pqd", [measured], ())[ALL]
    assert (found.low, found.high) == (None, None)
    assert "see its null" in found.reason


def test_the_worst_of_scores_near_0_has_no_interval_below_it():
    noise = np.abs(np.random.default_rng(0).normal(0, 0.02, (2000, 2)))
    point = Replicates(np.array([[0.001, 0.004]]), np.array([0.002]))
    draws = Replicates(point.tones + noise, point.all + noise[:, 0])
    found = intervals_of("accuracy", [Measured(point, draws)], ("I", "VI"))
    assert found[WORST].low == 0.0
