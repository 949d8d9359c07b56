"""Weights of classes against values worked out by hand."""

import numpy as np
import pytest
from programs import importable

with importable("postprocessors/tone-thresholds"):
    from thresholds import class_weights, fit_tones, fit_weights


def balanced_accuracy(p, y):
    called = p.argmax(axis=1)
    return np.mean([(called == k)[y == k].mean() for k in np.unique(y)])


def two(*p_one):
    return np.array([[1 - p, p] for p in p_one])


def test_the_threshold_of_three_images_lies_between_the_classes():
    # Class 1 has 0.4 and 0.3, class 0 has 0.1: any threshold from 0.1 to 0.3 is right.
    p, y = two(0.4, 0.3, 0.1), np.array([1, 1, 0])
    first, second = class_weights(p, y, 10, np.ones(p.shape[1]))
    # Called 1 where p1 / p0 exceeds first / second: the geometric middle of 1/9 and 3/7.
    assert first / second == pytest.approx(np.sqrt(1 / 9 * 3 / 7))
    assert first * second == pytest.approx(1)
    assert fit_weights(p, y, 10, np.ones(p.shape[1]))(p).argmax(axis=1).tolist() == [1, 1, 0]


def test_weights_stay_equal_where_nothing_is_better():
    p, y = two(0.9, 0.8, 0.2), np.array([1, 1, 0])
    assert class_weights(p, y, 10, np.ones(p.shape[1])).tolist() == [1, 1]
    assert fit_weights(p, y, 10, np.ones(p.shape[1]))(p) == pytest.approx(p)


def test_of_two_classes_no_threshold_is_better():
    rng = np.random.default_rng(0)
    for _ in range(20):
        p, y = two(*rng.random(60).round(2)), rng.integers(0, 2, 60)
        found = balanced_accuracy(fit_weights(p, y, 10, np.ones(p.shape[1]))(p), y)
        each = [balanced_accuracy(two(*(p[:, 1] > cut).astype(float)), y) for cut in p[:, 1]]
        assert found == pytest.approx(max(each))


def test_of_seven_classes_none_gets_worse_and_a_neglected_class_is_found():
    rng = np.random.default_rng(1)
    y = rng.integers(0, 7, 400)
    p = rng.dirichlet(np.ones(7), 400) + 0.6 * np.eye(7)[y]
    p[:, 6] *= 0.1  # as a rare class is after training
    p /= p.sum(axis=1, keepdims=True)
    after = fit_weights(p, y, 10, np.ones(p.shape[1]))(p)
    assert balanced_accuracy(after, y) > balanced_accuracy(p, y) + 0.1
    assert (after.argmax(axis=1) == 6)[y == 6].mean() > (p.argmax(axis=1) == 6)[y == 6].mean()
    assert after.sum(axis=1) == pytest.approx(np.ones(400))


def test_a_class_without_images_is_no_reason_to_fail():
    p = np.array([[0.5, 0.3, 0.2], [0.6, 0.3, 0.1]])
    assert fit_weights(p, np.array([1, 0]), 10, np.ones(p.shape[1]))(p).argmax(axis=1).tolist() == [
        1,
        0,
    ]


def test_each_tone_has_a_threshold_of_its_own():
    light, dark = two(0.8, 0.7, 0.6), two(0.4, 0.3, 0.2)
    y, t = np.array([1, 1, 0, 1, 1, 0]), np.array([0, 0, 0, 1, 1, 1])
    p = np.concatenate([light, dark])
    rule = fit_tones(p, y, t, 10, 3)
    assert rule(p, t).argmax(axis=1).tolist() == y.tolist()
    assert balanced_accuracy(fit_weights(p, y, 10, np.ones(p.shape[1]))(p), y) < 1


def test_a_tone_of_one_class_has_the_rule_of_all_images():
    light, dark = two(0.4, 0.3, 0.1, 0.2), two(0.1, 0.05, 0.2)
    p, y, t = (
        np.concatenate([light, dark]),
        np.array([1, 1, 0, 0, 0, 0, 0]),
        np.repeat([0, 1], [4, 3]),
    )
    rule, of_all = fit_tones(p, y, t, 10, 3), fit_weights(p, y, 10, np.ones(2))
    asked = two(0.05, 0.15, 0.25, 0.35)
    assert rule(asked, np.ones(4, dtype=np.int64)) == pytest.approx(of_all(asked))
    assert of_all(asked).argmax(axis=1).tolist() == [0, 0, 1, 1]


def test_a_class_that_a_tone_lacks_is_found_no_less_in_it_than_before():
    # Class 2 of the dark tone has no validation image; its own weights order the other two alone.
    rng = np.random.default_rng(2)
    y = np.concatenate([rng.integers(0, 3, 300), rng.integers(0, 2, 60)])
    t = np.repeat([0, 1], [300, 60])
    p = rng.dirichlet(np.ones(3), 360) + 0.6 * np.eye(3)[y]
    p /= p.sum(axis=1, keepdims=True)
    new = rng.dirichlet(np.ones(3), 300) + 0.6 * np.eye(3)[2]
    new /= new.sum(axis=1, keepdims=True)
    before = (new.argmax(axis=1) == 2).mean()
    found = fit_tones(p, y, t, 10, 20)(new, np.ones(300, dtype=np.int64))
    assert (found.argmax(axis=1) == 2).mean() > before - 0.1


def test_weights_of_a_part_are_centred_where_its_base_is():
    base = np.array([2.0, 8.0, 5.0])
    weights = class_weights(two(0.4, 0.3, 0.1) @ np.eye(2, 3), np.array([1, 1, 0]), 10, base)
    assert weights[0] * weights[1] == pytest.approx(16)
    assert weights[2] == 5
    assert weights[0] / weights[1] == pytest.approx(np.sqrt(1 / 9 * 3 / 7))
