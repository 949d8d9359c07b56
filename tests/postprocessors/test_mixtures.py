"""Mixtures of thresholds beside fairlearn's ThresholdOptimizer, and against values worked out by hand."""

import math

import numpy as np
import pytest
from fairlearn.postprocessing import ThresholdOptimizer
from programs import importable
from sklearn.base import BaseEstimator, ClassifierMixin

from tonegap_kit.errors import StageError
from tonegap_kit.partition import UNKNOWN

with importable("postprocessors/threshold-optimizer"):
    from mixtures import Mixture, fit_mixtures

ODDS, CALLS = (
    ("equalized_odds", "balanced_accuracy_score"),
    ("demographic_parity", "accuracy_score"),
)
CHOICES = [(c, o) for c in (ODDS[0], CALLS[0]) for o in (ODDS[1], CALLS[1])]


class Told(ClassifierMixin, BaseEstimator):
    """A classifier whose probability is the only feature."""

    def fit(self, x, y):
        self.classes_ = np.array([0, 1])
        return self

    def predict_proba(self, x):
        return np.column_stack([1 - x[:, 0], x[:, 0]])


def drawn(rng, n, n_tones, digits):
    positive = rng.random(n) < 0.4
    score = np.clip(0.5 + 0.2 * (positive - 0.5) + 0.2 * rng.normal(size=n), 0, 1)
    return score.round(digits), positive, rng.integers(0, n_tones, n)


def called(mixtures, score, t):
    return np.array([mixtures[tone](np.array([s]))[0] for s, tone in zip(score, t, strict=True)])


@pytest.mark.parametrize(("constraint", "objective"), CHOICES)
@pytest.mark.parametrize("digits", [2, 12])
def test_the_probability_of_a_positive_call_is_that_of_fairlearn(constraint, objective, digits):
    rng = np.random.default_rng(0)
    for _ in range(8):
        score, positive, t = drawn(rng, 90, 3, digits)
        theirs = ThresholdOptimizer(
            estimator=Told().fit(None, None),
            constraints=constraint,
            objective=objective,
            prefit=True,
            predict_method="predict_proba",
        )
        theirs.fit(score[:, None], positive.astype(int), sensitive_features=t)
        asked, tones = rng.random(50), rng.integers(0, 3, 50)
        wanted = theirs._pmf_predict(asked[:, None], sensitive_features=tones)[:, 1]
        found, _ = fit_mixtures(score, positive, t, constraint, objective, 1000)
        assert np.abs(called(found, asked, tones) - wanted).max() < 1e-9


def rates(mixtures, score, positive, t):
    """Expected true and false alarm rate and call rate of each tone."""
    p = called(mixtures, score, t)
    return [
        (p[own & positive].mean(), p[own & ~positive].mean(), p[own].mean())
        for own in (t == tone for tone in sorted(mixtures))
    ]


def test_both_error_rates_are_equal_over_tones_where_it_was_fitted():
    score, positive, t = drawn(np.random.default_rng(1), 200, 4, 12)
    found, _ = fit_mixtures(score, positive, t, *ODDS, 1000)
    of_tones = np.array(rates(found, score, positive, t))
    assert np.ptp(of_tones[:, :2], axis=0).max() < 1e-12
    before = np.array([(score > 0.5)[positive & (t == tone)].mean() for tone in range(4)])
    assert np.ptp(before) > 0.05


def test_call_rates_are_equal_over_tones_where_it_was_fitted():
    score, positive, t = drawn(np.random.default_rng(2), 200, 4, 12)
    found, _ = fit_mixtures(score, positive, t, *CALLS, 1000)
    assert np.ptp(np.array(rates(found, score, positive, t))[:, 2]) < 1e-12


def test_two_tones_of_three_and_four_images_are_worked_out_by_hand():
    # Tone 0 is ordered without a fault: true rate 1 at false rate 0. Tone 1 (+ - + -) reaches at false rate 0
    # a true rate of 1/2 and at 1/2 one of 1. Balanced accuracies: 3/4 at both ends; the first wins, false rate 0.
    score = np.array([0.9, 0.8, 0.1, 0.9, 0.7, 0.5, 0.3])
    positive = np.array([True, True, False, True, False, True, False])
    t = np.array([0, 0, 0, 1, 1, 1, 1])
    found, _ = fit_mixtures(score, positive, t, *ODDS, 10)
    # In tone 0, half of the cases are not called whatever their score: 1 becomes 1/2.
    assert found[0](np.array([0.9, 0.5, 0.4])).tolist() == [0.5, 0.5, 0.0]
    assert found[1](np.array([0.9, 0.81, 0.79, 0.5])).tolist() == [1, 1, 0, 0]


def test_a_mixture_is_its_share_of_each_threshold():
    mixture = Mixture(strict=0.7, lax=0.2, share=0.75, ignored=0.5, constant=0.1)
    # Above both 0.5 x 0.1 + 0.5 x 1; above the lax one alone 0.05 + 0.5 x 0.25; above none 0.05.
    assert mixture(np.array([0.8, 0.5, 0.1])) == pytest.approx([0.55, 0.175, 0.05])
    assert mixture(np.array([0.7]))[0] == pytest.approx(0.175)  # a threshold itself is not above it


def test_a_tone_of_one_class_and_unknown_tones_have_the_thresholds_of_all():
    score, positive, t = drawn(np.random.default_rng(3), 120, 2, 12)
    more = np.array([0.2, 0.9])
    score, positive = np.append(score, more), np.append(positive, [True, True])
    found, of_all = fit_mixtures(score, positive, np.append(t, [5, UNKNOWN]), *ODDS, 1000)
    assert sorted(found) == [0, 1]
    assert not math.isnan(of_all(more).sum())
    assert of_all(np.array([0.0, 1.0])).tolist() == sorted(of_all(np.array([0.0, 1.0])))


def test_validation_images_of_one_class_are_refused():
    with pytest.raises(StageError, match=r"validation\.csv: images of one class alone"):
        fit_mixtures(np.array([0.1, 0.2]), np.array([True, True]), np.array([0, 1]), *ODDS, 10)


@pytest.mark.parametrize("steps", [0, -1])
def test_no_step_of_rates_is_refused(steps):
    score, positive = np.array([0.2, 0.8]), np.array([False, True])
    with pytest.raises(StageError, match=f"grid_size: found {steps}, wanted 1 or more"):
        fit_mixtures(score, positive, np.array([0, 0]), *ODDS, steps)
