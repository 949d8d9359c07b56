"""Two annotations of tone: how reliable one is, and gaps without label errors."""

import numpy as np
import pytest

from tonegap.scores.evidence.raters import Raters, corrected, corrected_gap, mixture, raters_of
from tonegap.scores.evidence.worst_and_gap import Sample

MARGINS = (0.5, 0.3, 0.2)


def labels(reliability, n=20_000):
    rng = np.random.default_rng(1)
    latent = rng.normal(size=n)
    cuts = np.quantile(latent, np.cumsum(MARGINS)[:-1])
    noise = np.sqrt(1 - reliability)
    return latent, cuts, [
        np.searchsorted(cuts, np.sqrt(reliability) * latent + noise * rng.normal(size=n)) for _ in range(2)
    ]  # fmt: skip


def test_the_reliability_that_was_planted_is_found():
    _, _, (first, second) = labels(0.8)
    raters = raters_of(first, second, 3)
    assert raters.reliability == pytest.approx(0.8, abs=0.015)
    assert raters.alike == pytest.approx((first == second).mean())
    assert raters.n == 20_000


def test_unknown_tones_and_few_images_are_left_out():
    _, _, (first, second) = labels(0.8, 300)
    second[:50] = -1
    assert raters_of(first, second, 3).n == 250
    assert raters_of(first[:99], second[:99], 3) is None
    assert raters_of(np.minimum(first, 1), second, 3) is None


def test_the_mixture_is_that_of_simulated_labels():
    latent, cuts, (first, _) = labels(0.8, 200_000)
    true = np.searchsorted(cuts, latent)
    shares = mixture(Raters(200_000, 0.0, 0.8, MARGINS))
    assert shares.sum(axis=1) == pytest.approx(1)
    counted = [[(true[first == i] == j).mean() for j in range(3)] for i in range(3)]
    assert shares == pytest.approx(np.array(counted), abs=0.01)


def test_scores_by_label_are_unmixed():
    raters = Raters(1000, 0.0, 0.8, MARGINS)
    true = np.array([0.9, 0.8, 0.6])
    sample = Sample(mixture(raters) @ true, np.asfortranarray(np.zeros((10, 3))), np.full(3, 1e6))
    assert corrected(sample, raters).scores == pytest.approx(true)


def test_a_corrected_gap_is_larger_and_less_certain():
    raters = Raters(3000, 0.0, 0.85, MARGINS)
    scores = mixture(raters) @ np.array([0.9, 0.8, 0.7])
    noise = np.asfortranarray(np.random.default_rng(0).normal(0, 0.02, (500, 3)))
    gap, low, high = corrected_gap(Sample(scores, noise, np.full(3, 400.0)), raters, 0.95)
    assert gap == pytest.approx(0.2)
    assert np.ptp(scores) < 0.18
    assert low < 0.2 < high
    assert high - low > 0.1
