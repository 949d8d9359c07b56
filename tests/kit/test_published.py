import numpy as np
import pytest

from tonegap_kit.errors import StageError
from tonegap_kit.published import LabelsSeen, Published, as_published, read_published, renumbered
from tonegap_kit.training import Epoch

# One validation image of class 0, then one test image; the first column is p(class 0).
SEEN = LabelsSeen(("a", "b"), np.array([0, 1]), np.array([0]))
UNTRAINED = np.array([[0.5, 0.5], [0.5, 0.5]])


def _epochs(*p_of_class_0):
    for number, p in enumerate(p_of_class_0, start=1):
        yield Epoch(number, 0.0, np.array([[p, 1 - p], [p, 1 - p]]))


def _standing(published, *p_of_class_0):
    untrained = UNTRAINED if published.is_late else None
    epochs = as_published(_epochs(*p_of_class_0), untrained, SEEN, published)
    return [float(epoch.p[1, 0]) for epoch in epochs]


def test_every_epoch_is_kept_unless_asked_otherwise():
    assert _standing(Published(), 0.9, 0.1, 0.3) == pytest.approx([0.9, 0.1, 0.3])


def test_without_a_better_late_epoch_the_untrained_network_is_what_is_tested():
    published = Published(keep_from_epoch=2, keep_by="loss")
    assert _standing(published, 0.9, 0.8, 0.7) == pytest.approx([0.5, 0.5, 0.5])


def test_a_late_epoch_stands_once_it_beats_the_last_early_one():
    published = Published(keep_from_epoch=3, keep_by="loss")
    # Epoch 2 (0.2) is what epoch 3 has to beat, not epoch 1; epoch 4 does not beat epoch 3.
    assert _standing(published, 0.9, 0.2, 0.6, 0.4, 0.7) == pytest.approx([0.5, 0.5, 0.6, 0.6, 0.7])


def test_by_accuracy_an_equally_good_epoch_is_not_kept():
    published = Published(keep_from_epoch=2)
    assert _standing(published, 0.2, 0.6, 0.9) == pytest.approx([0.5, 0.6, 0.6])


def test_columns_are_read_by_the_numbers_of_the_classes_that_are_there():
    p = np.array([[0.1, 0.2, 0.3, 0.4]])
    # Trained on all four; only classes 1 and 3 are there, numbered 0 and 1: column 0 is taken for class 1.
    found = renumbered(p, np.arange(4), np.array([3, 1, 1]))
    assert found.tolist() == [[0.3, 0.1, 0.4, 0.2]]


def test_where_both_have_all_classes_renumbering_changes_nothing():
    p = np.array([[0.1, 0.2, 0.7]])
    assert renumbered(p, np.array([2, 1, 0]), np.array([0, 1, 2])).tolist() == p.tolist()


def test_codes_at_test_change_test_images_alone_where_validation_has_all_classes():
    seen = LabelsSeen(("a", "b"), np.array([0, 1]), np.array([0, 1]))
    epochs = iter([Epoch(1, 0.0, np.array([[0.9, 0.1], [0.9, 0.1], [0.9, 0.1]]))])
    (epoch,) = as_published(epochs, None, seen, Published(codes_at_test=("b",)))
    assert epoch.p.tolist() == [[0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]


def test_a_baseline_that_declares_none_of_it_gets_none(make_stage):
    assert read_published(make_stage().job) == Published()


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"keep_from_epoch": 0}, "keep_from_epoch is 0, wanted 1 or more"),
        ({"codes_at_test": ["d"]}, "codes_at_test: 'd' is no class of the task"),
    ],
)
def test_what_cannot_be_is_refused(make_stage, parameters, said):
    with pytest.raises(StageError, match=said):
        read_published(make_stage(parameters).job)
