"""The calibration error: its null, and its interval."""

import numpy as np
import pytest

from tonegap.scores.evidence.calibration import _centres
from tonegap.scores.evidence.entries import EvidenceRequest, entry_evidence, entry_means
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.evidence.nulls import CALIBRATED
from tonegap.scores.tables import ALL, GAP, WORST

ASKED = EvidenceRequest((), ("I", "VI"), "ece", everything=False)


def said(confidence, right, units=None, tones=None):
    """Answers of two classes with a confidence each; two images in four are of each class."""
    n = len(confidence)
    is_a = np.arange(n) % 4 < 2
    of_a = np.where(is_a == np.asarray(right), confidence, 1 - np.asarray(confidence))
    return TestAnswers(
        ids=tuple(f"{i:04}" for i in range(n)),
        labels=tuple("a" if a else "b" for a in is_a),
        tones=tuple(tones or ("I", "VI") * (n // 2)),
        units=tuple(units or range(n)),
        classes=("a", "b"),
        p=np.column_stack((of_a, 1 - of_a)),
        epoch=1,
        threshold=None,
    )


def evidence(seed):
    return entry_evidence([seed], ASKED, 400)


def nulls(seed):
    return entry_means([seed], ASKED, 50).nulls


def test_the_null_of_two_images_by_hand():
    # Sure of both by 0.75. Both right 0.5625 or one 0.375: error 0.25; none 0.0625: error 0.75.
    found = nulls(said([0.75, 0.75], [False, False]))["ece", ALL, CALIBRATED]
    assert found.expected == pytest.approx(0.9375 * 0.25 + 0.0625 * 0.75, abs=0.025)
    assert found.p == pytest.approx(0.0625, abs=0.035)
    assert (found.low, found.high) == pytest.approx((0.25, 0.75))


def test_copies_of_a_photograph_are_right_together():
    # One coin instead of two: error 0.25 in 3 of 4 cases, else 0.75.
    found = nulls(said([0.75, 0.75], [True, True], units=(3, 3)))
    assert found["ece", ALL, CALIBRATED].expected == pytest.approx(0.375, abs=0.05)


def test_each_tone_has_its_own_null():
    # I is sure by 1: never wrong if calibrated. VI is sure by 0.5 + a little: error 0.5 whatever happens.
    found = nulls(said([1.0, 0.5001], [True, False]))
    assert found["ece", "I", CALIBRATED].high == pytest.approx(0.0)
    assert found["ece", "VI", CALIBRATED].expected == pytest.approx(0.5, abs=0.001)


def test_an_interval_of_a_large_error_is_that_of_the_accuracy():
    # Sure by 0.95 and right in 500 of 1,000: error 0.45, and accuracy has a standard error of 0.0158.
    seed = said([0.95] * 1000, [i < 500 for i in range(1000)])
    found = evidence(seed).network_intervals["ece", ALL]
    assert found.low == pytest.approx(0.45 - 1.96 * 0.0158, abs=0.005)
    assert found.high == pytest.approx(0.45 + 1.96 * 0.0158, abs=0.005)


def test_an_error_that_a_calibrated_model_shows_has_0_in_its_interval():
    # Sure by 0.8 of 40 images and right in 29: the bins' error 0.075 is common with 32 expected.
    found = evidence(said([0.8] * 40, [i < 29 for i in range(40)]))
    interval = found.network_intervals["ece", ALL]
    assert found.nulls["ece", ALL, CALIBRATED].p > 0.1
    assert interval.low == 0.0
    assert 0.075 < interval.high < 0.30


def test_a_calibrated_model_has_0_in_its_interval_though_its_error_is_never_0():
    rng, held, shown = np.random.default_rng(5), 0, []
    for _ in range(40):
        confidence = 0.5 + 0.5 * rng.random(130)
        found = evidence(said(confidence, rng.random(130) < confidence))
        held += found.network_intervals["ece", ALL].low == 0.0
        shown.append(found.nulls["ece", ALL, CALIBRATED].expected)
    assert held >= 36
    assert min(shown) > 0.04


def test_answers_that_cannot_vary_have_no_interval_and_worst_and_gap_have_none():
    found = evidence(said([1.0] * 8, [True] * 8)).network_intervals
    assert found["ece", ALL].low is None
    assert found["ece", ALL].reason == "every resample of images gives the same error"
    for score in (WORST, GAP):
        assert found["ece", score].low is None
        assert "see its null" in found["ece", score].reason


def test_the_closest_bins_shrink_and_grow_by_their_variance():
    point, variance = np.array([[0.3, -0.1]]), np.array([[1.0, 0.5]])
    # 0.1 less: by is 0.1 / 1.5, the bins lose 0.0667 and 0.0333.
    np.testing.assert_allclose(_centres(point, variance)(0.3), [[0.2333, -0.0667]], atol=1e-4)
    # Down to 0.05: the second is 0 from by = 0.2 on, the first loses 0.25.
    np.testing.assert_allclose(_centres(point, variance)(0.05), [[0.05, 0.0]], atol=1e-9)
    np.testing.assert_allclose(_centres(point, variance)(0.55), [[0.4, -0.15]], atol=1e-9)
    np.testing.assert_allclose(_centres(point, variance)(0.0), [[0.0, 0.0]], atol=1e-9)
