"""Weights of classes against values worked out by hand."""

import numpy as np
import pytest
from programs import importable

from tonegap_kit.postprocess import tone_by_tone

with importable("postprocessors/tone-thresholds"):
    from thresholds import class_weights, fit_weights


def balanced_accuracy(p, y):
    called = p.argmax(axis=1)
    return np.mean([(called == k)[y == k].mean() for k in np.unique(y)])


def two(*p_one):
    return np.array([[1 - p, p] for p in p_one])


def test_the_threshold_of_three_images_lies_between_the_classes():
    # Class 1 has 0.4 and 0.3, class 0 has 0.1: any threshold from 0.1 to 0.3 is right.
    p, y = two(0.4, 0.3, 0.1), np.array([1, 1, 0])
    first, second = class_weights(p, y, 10)
    # Called 1 where p1 / p0 exceeds first / second: the geometric middle of 1/9 and 3/7.
    assert first / second == pytest.approx(np.sqrt(1 / 9 * 3 / 7))
    assert first * second == pytest.approx(1)
    assert fit_weights(p, y, 10)(p).argmax(axis=1).tolist() == [1, 1, 0]


def test_weights_stay_equal_where_nothing_is_better():
    p, y = two(0.9, 0.8, 0.2), np.array([1, 1, 0])
    assert class_weights(p, y, 10).tolist() == [1, 1]
    assert fit_weights(p, y, 10)(p) == pytest.approx(p)


def test_of_two_classes_no_threshold_is_better():
    rng = np.random.default_rng(0)
    for _ in range(20):
        p, y = two(*rng.random(60).round(2)), rng.integers(0, 2, 60)
        found = balanced_accuracy(fit_weights(p, y, 10)(p), y)
        each = [balanced_accuracy(two(*(p[:, 1] > cut).astype(float)), y) for cut in p[:, 1]]
        assert found == pytest.approx(max(each))


def test_of_seven_classes_none_gets_worse_and_a_neglected_class_is_found():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 7, 400)
    p = rng.dirichlet(np.ones(7), 400) + 0.6 * np.eye(7)[y]
    p[:, 6] *= 0.1  # as a rare class is after training
    p /= p.sum(axis=1, keepdims=True)
    after = fit_weights(p, y, 10)(p)
    assert balanced_accuracy(after, y) > balanced_accuracy(p, y) + 0.1
    assert (after.argmax(axis=1) == 6)[y == 6].mean() > (p.argmax(axis=1) == 6)[y == 6].mean()
    assert after.sum(axis=1) == pytest.approx(np.ones(400))


def test_a_class_without_images_is_no_reason_to_fail():
    p = np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1]])
    assert fit_weights(p, np.array([1, 0]), 10)(p).argmax(axis=1).tolist() == [1, 0]


def test_each_tone_has_a_threshold_of_its_own():
    light, dark = two(0.8, 0.7, 0.6), two(0.4, 0.3, 0.2)
    y, t = np.array([1, 1, 0, 1, 1, 0]), np.array([0, 0, 0, 1, 1, 1])
    p = np.concatenate([light, dark])
    rule = tone_by_tone(lambda own, labels: fit_weights(own, labels, 10), 3)(p, y, t)
    assert rule(p, t).argmax(axis=1).tolist() == y.tolist()
    assert balanced_accuracy(fit_weights(p, y, 10)(p), y) < 1
