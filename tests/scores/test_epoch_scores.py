"""A learning curve: a metric of every epoch on validation and test images, worked out by hand."""

import numpy as np

from tonegap.formats.record import CurvePoint
from tonegap.scores.predictions import Labelled
from tonegap.scores.results import Rules, epoch_scores

B, M = CLASSES = ("benign", "malignant")


def labelled(p_by_epoch, labels):
    p = np.array([[[1 - x, x] for x in epoch] for epoch in p_by_epoch])
    y = np.array([CLASSES.index(label) for label in labels])
    n = len(labels)
    return Labelled(CLASSES, tuple(map(str, range(n))), (1, 2), p, y, ("I",) * n)


RULES = Rules(CLASSES, (M,), ("I",), 1, "accuracy")


def test_a_curve_has_the_metric_of_every_epoch_on_both_sets():
    validation = labelled([[0.6, 0.6], [0.9, 0.1]], [M, B])
    test = labelled([[0.4, 0.4, 0.4, 0.4], [0.6, 0.6, 0.6, 0.4]], [M, M, B, B])
    assert epoch_scores(validation, test, "accuracy", RULES) == (
        CurvePoint(1, 0.5, 0.5),
        CurvePoint(2, 1.0, 0.75),
    )


def test_a_curve_of_a_metric_that_picks_no_epoch_uses_each_epochs_own_threshold():
    # Validation is told apart from 0.3 on in the first epoch, from 0.9 on in the second.
    validation = labelled([[0.3, 0.1], [0.9, 0.8]], [M, B])
    test = labelled([[0.3, 0.1, 0.2, 0.2], [0.9, 0.8, 0.2, 0.2]], [M, M, B, B])
    found = epoch_scores(validation, test, "sensitivity", RULES)
    assert [point.test for point in found] == [0.5, 0.5]
    assert [point.validation for point in found] == [1.0, 1.0]


def test_a_curve_is_undefined_where_a_class_has_no_image():
    only_benign = labelled([[0.4, 0.4], [0.4, 0.4]], [B, B])
    both = labelled([[0.4, 0.6], [0.4, 0.6]], [B, M])
    found = epoch_scores(only_benign, both, "auc", RULES)
    assert [(p.validation, p.test) for p in found] == [(None, 1.0), (None, 1.0)]
