"""Temperatures against values worked out by hand, and what they may not change."""

import math

import numpy as np
import pytest

from tonegap_kit.partition import UNKNOWN
from tonegap_kit.postprocess import pooled, tone_by_tone
from tonegap_kit.temperature import COLDEST, HOTTEST, best_temperature, fit_temperature, tempered

# Each says 0.9 for class 0, which is right in two of three: the best shares are 2/3 and 1/3.
SURE = np.array([[0.9, 0.1]] * 3)
TWO_OF_THREE = np.array([0, 0, 1])


def log_loss(p, y):
    return -np.log(p[np.arange(len(y)), y]).mean()


def test_the_best_temperature_of_three_images_is_worked_out_by_hand():
    # Odds of 9 become odds of 2: 9 ** (1 / T) = 2.
    found = best_temperature(SURE, TWO_OF_THREE)
    assert found == pytest.approx(math.log(9) / math.log(2), abs=1e-12)
    assert tempered(SURE, found)[0].tolist() == pytest.approx([2 / 3, 1 / 3], abs=1e-12)


def test_the_loss_is_the_smallest_of_all_temperatures_and_no_call_changes():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.full(4, 0.3), 300)
    y = np.where(rng.random(300) < 0.5, p.argmax(axis=1), rng.integers(0, 4, 300))
    best = best_temperature(p, y)
    losses = [log_loss(tempered(p, t), y) for t in best * np.geomspace(0.5, 2, 41)]
    assert np.argmin(losses) == 20
    assert losses[20] < log_loss(p, y) - 0.1
    assert np.array_equal(tempered(p, best).argmax(axis=1), p.argmax(axis=1))


def test_where_every_call_is_right_or_says_nothing_the_range_ends():
    assert best_temperature(SURE, np.zeros(3, dtype=int)) == COLDEST
    assert best_temperature(SURE, np.array([1, 1, 0])) == HOTTEST


def test_a_certain_answer_that_is_wrong_gives_a_finite_temperature():
    p = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    # Odds of 1e12 become odds of 2.
    assert best_temperature(p, TWO_OF_THREE) == pytest.approx(math.log(1e12) / math.log(2))


def test_each_tone_has_its_own_and_others_that_of_all():
    p = np.concatenate([SURE, SURE, SURE[:1]])
    y = np.array([0, 0, 1, 0, 1, 0, 0])
    t = np.array([0, 0, 0, 1, 1, 1, UNKNOWN])
    rule = tone_by_tone(fit_temperature, 3)(p, y, t)
    # Right in two of three in both tones, and in 5 of 7 of all.
    asked = rule(np.array([[0.9, 0.1]] * 4), np.array([0, 1, 2, UNKNOWN]))
    assert asked[:, 0].tolist() == pytest.approx([2 / 3, 2 / 3, 5 / 7, 5 / 7], abs=1e-12)


def test_a_tone_with_too_few_images_has_the_rule_of_all():
    p, y = np.concatenate([SURE, SURE]), np.array([0, 0, 1, 0, 0, 0])
    t = np.array([0, 0, 0, 1, 1, 1])
    asked = np.array([[0.9, 0.1]] * 2), np.array([0, 1])
    same = pooled(fit_temperature)(p, y, t)(*asked)
    assert same[:, 0].tolist() == pytest.approx([5 / 6, 5 / 6], abs=1e-12)
    assert np.array_equal(tone_by_tone(fit_temperature, 4)(p, y, t)(*asked), same)


@pytest.mark.parametrize("temperature", [COLDEST, 0.1, HOTTEST])
def test_no_two_classes_or_images_are_turned_round_but_cold_scores_become_equal(temperature):
    p = np.array([[0.5, 0.5], [0.2, 0.8], [0.1, 0.9], [0.4, 0.6]])
    found = tempered(p, temperature)
    for of, by in ((p[:, 0] - p[:, 1], found[:, 0] - found[:, 1]), (p[:, 1], found[:, 1])):
        assert (np.subtract.outer(of, of) * np.subtract.outer(by, by) >= 0).all()
    # (1/4) ** 100 and (1/9) ** 100 beside 1 are nothing to a double.
    assert (found[1, 1] == found[2, 1]) == (temperature == COLDEST)
