"""Answers counted by tone, worked out by hand on a few images."""

import numpy as np
import pytest

from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.evidence.tone_counts import (
    Bin,
    EventCounts,
    Reliability,
    confusions,
    event_counts,
    reliabilities,
)

CLASSES = ("benign", "malignant")
TYPES = ("I", "VI")
GROUPS = ("I-II", "V-VI")


def said(p_malignant, labels, tones, threshold=0.5):
    p = np.array([[1 - x, x] for x in p_malignant])
    n = len(p)
    ids = tuple(map(str, range(n)))
    return TestAnswers(ids, tuple(labels), tuple(tones), tuple(range(n)), CLASSES, p, 1, threshold)


B, M = CLASSES
# One of each kind of answer for type I, one hit and one image of unknown tone beside it.
FIVE = said([0.9, 0.2, 0.1, 0.8, 0.9, 0.7], [M, M, B, B, M, B], ["I", "I", "I", "I", "VI", None])


def test_images_are_counted_by_true_and_most_probable_class_of_each_tone():
    found = {one.tone: one.counts for one in confusions([FIVE], TYPES)}
    assert found["I"] == ((1, 1), (1, 1))
    assert found["VI"] == ((0, 0), (0, 1))
    assert found["all"] == ((1, 2), (1, 2))  # with the image of unknown tone


def test_types_pool_into_groups():
    assert [one.n for one in confusions([FIVE], GROUPS)] == [6, 4, 1]


def test_every_seed_counts_its_images_once_more():
    assert [one.n for one in confusions([FIVE, FIVE], TYPES)] == [12, 8, 2]


def test_calls_at_the_threshold_are_hits_misses_rejections_and_alarms():
    found = {one.tone: one for one in event_counts([FIVE], TYPES, (M,))}
    assert found["I"] == EventCounts("I", hits=1, misses=1, rejections=1, alarms=1)
    assert found["VI"] == EventCounts("VI", hits=1, misses=0, rejections=0, alarms=0)
    assert found["all"] == EventCounts("all", hits=2, misses=1, rejections=1, alarms=2)


def test_the_threshold_decides_not_the_most_probable_class():
    low = said([0.3, 0.1], [M, B], ["I", "I"], threshold=0.2)
    assert event_counts([low], TYPES, (M,))[0] == EventCounts("all", 1, 0, 1, 0)


def test_without_an_event_there_is_nothing_to_call():
    assert event_counts([FIVE], TYPES, ()) == ()


def test_bins_have_their_images_confidence_and_share_of_right_ones():
    # Confidence 0.9, 0.9 (both right) and 0.65 (wrong): bins 13 and 9 of 15.
    found = reliabilities([said([0.9, 0.1, 0.65], [M, B, B], ["I", "I", "I"])], TYPES)
    assert found[0].tone == "I"
    assert [(b.index, b.n) for b in found[0].bins] == [(9, 1), (13, 2)]
    assert found[0].bins[0] == Bin(9, 1, pytest.approx(0.65), 0.0)
    assert found[0].bins[1] == Bin(13, 2, pytest.approx(0.9), 1.0)
    assert found[1] == Reliability("VI", ())
