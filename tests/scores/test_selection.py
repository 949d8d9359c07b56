"""Which epoch and which threshold, by which rule, on which images."""

import numpy as np
import pytest

from tonegap.errors import BadRequest
from tonegap.scores.predictions import Labelled
from tonegap.scores.rules import ScoringRules
from tonegap.scores.selection import (
    SELECTION_METRICS,
    Selection,
    epoch_values,
    select,
    select_by,
    youden_threshold,
)
from tonegap.scores.undefined import Undefined

CLASSES = ("benign", "malignant")
CANCER = ScoringRules(CLASSES, ("malignant",))


def images(p_malignant, y, tones=None, epochs=None):
    """Images of two classes from p_malignant [epochs, n]."""
    p = np.array(p_malignant, dtype=float)
    return Labelled(
        classes=CLASSES,
        ids=tuple(f"{i}" for i in range(p.shape[1])),
        epochs=tuple(epochs or range(len(p))),
        p=np.stack([1 - p, p], axis=2),
        y=np.array(y, dtype=np.int64),
        tones=tuple(tones or [None] * p.shape[1]),
    )


# Benign, benign, benign, malignant. Epoch 0: all benign, and the order of scores is right. Epoch 1:
# one false alarm, malignant found. Epoch 2: as 1, tone V-VI all right.
THREE_EPOCHS = images(
    [[0.1, 0.2, 0.3, 0.4], [0.1, 0.2, 0.9, 0.6], [0.1, 0.9, 0.2, 0.6]],
    [0, 0, 0, 1],
    ["I-II", "I-II", "V-VI", "V-VI"],
)


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        ("accuracy", [3 / 4, 3 / 4, 3 / 4]),
        ("balanced_accuracy", [1 / 2, (2 / 3 + 1) / 2, (2 / 3 + 1) / 2]),
        ("auc", [1, 2 / 3, 2 / 3]),
        ("worst_tone_accuracy", [1 / 2, 1 / 2, 1 / 2]),
    ],
)
def test_values_of_each_epoch_by_hand(metric, values):
    assert epoch_values(THREE_EPOCHS, metric, CANCER).tolist() == pytest.approx(values)


@pytest.mark.parametrize(
    ("metric", "epoch"),
    [("accuracy", 0), ("balanced_accuracy", 1), ("auc", 0), ("worst_tone_accuracy", 0)],
)
def test_the_first_of_equal_epochs_wins(metric, epoch):
    assert select(THREE_EPOCHS, metric, CANCER).epoch_index == epoch


def test_rounding_noise_does_not_break_a_tie():
    # The mean of .1, .4, .1 is 0.19999999999999998, that of .1, .1, .4 is 0.20000000000000004.
    y = np.repeat([0, 1, 2], 10)
    recalls = [(1, 4, 1), (1, 1, 4), (4, 1, 1)]
    called = [
        np.concatenate([np.where(np.arange(10) < r, c, (c + 1) % 3) for c, r in enumerate(row)])
        for row in recalls
    ]
    p = np.eye(3)[np.array(called)]
    three = Labelled(("a", "b", "c"), ("x",) * 30, (0, 1, 2), p, y, (None,) * 30)

    assert select(three, "balanced_accuracy", ScoringRules(("a", "b", "c"))).epoch_index == 0


@pytest.mark.parametrize("metric", ["balanced_accuracy", "auc"])
def test_a_metric_undefined_on_these_images_selects_nothing(metric):
    no_malignant = images([[0.1, 0.2]], [0, 0])

    assert isinstance(epoch_values(no_malignant, metric, CANCER), Undefined)
    with pytest.raises(BadRequest, match=f"{metric}: the whole set has 0 malignant images"):
        select(no_malignant, metric, CANCER)


def test_worst_tone_accuracy_needs_a_known_tone():
    with pytest.raises(BadRequest, match="no image has a known tone"):
        select(images([[0.1, 0.9]], [0, 1]), "worst_tone_accuracy", CANCER)


def test_unknown_tones_are_no_tone_of_their_own():
    sample = images([[0.1, 0.1]], [0, 1], ["I", None])

    assert epoch_values(sample, "worst_tone_accuracy", CANCER).tolist() == [1.0]


def test_unknown_names_are_refused():
    with pytest.raises(BadRequest, match="selection metric 'f2' is none of"):
        select(THREE_EPOCHS, "f2", CANCER)
    with pytest.raises(BadRequest, match="selection rule 'best' is none of"):
        select_by("best", THREE_EPOCHS, THREE_EPOCHS, "auc", CANCER)


@pytest.mark.parametrize(
    ("p_malignant", "y", "threshold"),
    [
        # From .4 on: all malignant, no benign.
        ([0.1, 0.2, 0.4, 0.8], [0, 0, 1, 1], 0.4),
        # J is 1/2 from .9 on (no alarm) and from .3 on (both found, one alarm): .3 is nearer to .5.
        ([0.1, 0.8, 0.3, 0.9], [0, 0, 1, 1], 0.3),
        # J is 1/2 from .6 on and from .45 on; .45 is nearer.
        ([0.1, 0.5, 0.45, 0.6], [0, 0, 1, 1], 0.45),
        # Worse than chance: calling everything positive has J = 0.
        ([0.9, 0.2], [0, 1], 0.2),
    ],
)
def test_threshold_has_the_largest_youden_index_nearest_to_one_half(p_malignant, y, threshold):
    assert youden_threshold(images([p_malignant], y), 0, CANCER) == threshold


def test_threshold_agrees_with_trying_every_score():
    rng = np.random.default_rng(3)
    for _ in range(50):
        score = rng.integers(0, 12, 30) / 11
        y = rng.integers(0, 2, 30)
        y[:2] = 0, 1
        tried = []
        for t in np.unique(score):
            j = (score >= t)[y == 1].mean() - (score >= t)[y == 0].mean()
            tried.append((-round(j, 9), abs(t - 0.5), t))

        assert youden_threshold(images([score], y), 0, CANCER) == min(tried)[2]


def test_threshold_is_undefined_with_one_side_only_or_no_event():
    assert youden_threshold(images([[0.1, 0.9]], [1, 1]), 0, CANCER) is None
    assert youden_threshold(images([[0.1, 0.9]], [0, 0]), 0, CANCER) is None
    assert youden_threshold(images([[0.1, 0.9]], [0, 1]), 0, ScoringRules(CLASSES)) is None


def test_a_threshold_found_is_one_that_rules_accept():
    # Three probabilities that sum to 1 within the tolerance, and a little above it.
    p = np.array([[[0.0, 0.50004, 0.50004], [1.0, 0.0, 0.0]]])
    sample = Labelled(("a", "b", "c"), ("x", "y"), (0,), p, np.array([1, 0]), (None, None))
    rules = ScoringRules(("a", "b", "c"), ("b", "c"))

    threshold = youden_threshold(sample, 0, rules)

    assert ScoringRules(rules.classes, rules.positive, threshold).threshold == 1.0


VALIDATION = images([[0.2, 0.7], [0.7, 0.2], [0.3, 0.2]], [0, 1], epochs=(1, 2, 3))
TEST = images([[0.6, 0.2], [0.2, 0.6], [0.6, 0.2]], [0, 1], epochs=(1, 2, 3))


@pytest.mark.parametrize(
    ("rule", "selection"),
    [
        ("validation", Selection(0, 0.7)),
        ("last", Selection(2, 0.2)),
        ("test-oracle", Selection(1, 0.6)),
    ],
)
def test_each_rule_takes_epoch_and_threshold_from_its_images(rule, selection):
    assert select_by(rule, VALIDATION, TEST, "accuracy", CANCER) == selection


def test_test_labels_change_nothing_but_the_oracle():
    flipped = images([[0.6, 0.2], [0.2, 0.6], [0.6, 0.2]], [1, 0], epochs=(1, 2, 3))

    for metric in ("accuracy", "balanced_accuracy", "auc"):
        for rule in ("validation", "last"):
            one = select_by(rule, VALIDATION, TEST, metric, CANCER)
            assert one == select_by(rule, VALIDATION, flipped, metric, CANCER)
    assert select_by("test-oracle", VALIDATION, flipped, "auc", CANCER).epoch_index == 0


def test_rules_refuse_sets_of_other_epochs():
    fewer = images([[0.6, 0.2]], [0, 1], epochs=(1,))

    with pytest.raises(BadRequest, match="same epochs"):
        select_by("validation", VALIDATION, fewer, "accuracy", CANCER)


@pytest.mark.parametrize("metric", SELECTION_METRICS)
def test_true_labels_beat_a_constant(metric):
    sample = images([[0.5, 0.5, 0.5, 0.5], [0, 1, 0, 1]], [0, 1, 0, 1], ["I", "I", "V", "V"])

    assert select(sample, metric, CANCER).epoch_index == 1
