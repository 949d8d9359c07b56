"""Duplicate groups that cross a split."""

from tonegap.split.leaks import CrossingGroup, crossing_groups, leaked_by_tone
from tonegap.split.partition import SplitAssignment

MADE = SplitAssignment(
    ids=("a", "b", "c", "d", "e", "f"),
    parts=("train", "test", "validation", "test", "unused", "test"),
    labels=("x",) * 6,
    tones=("I", "VI", "VI", None, "VI", "VI"),
)


def test_a_group_in_test_and_training_crosses() -> None:
    groups = {"a": 1, "b": 1, "c": 2, "d": 3, "e": 4, "f": 5}
    assert crossing_groups(MADE, groups) == [CrossingGroup(1, ("b",), ("a",))]


def test_validation_counts_as_seen() -> None:
    groups = {"a": 1, "b": 2, "c": 2, "d": 2, "e": 4, "f": 5}
    assert crossing_groups(MADE, groups) == [CrossingGroup(2, ("b", "d"), ("c",))]


def test_unused_images_cross_nothing() -> None:
    assert crossing_groups(MADE, {"a": 1, "b": 2, "c": 3, "d": 4, "e": 2, "f": 2}) == []


def test_an_image_without_a_file_is_left_out() -> None:
    assert crossing_groups(MADE, {"b": 1}) == []


def test_leaked_test_images_are_counted_by_tone() -> None:
    groups = {"a": 1, "b": 1, "c": 2, "d": 2, "e": 3, "f": 1}
    assert leaked_by_tone(MADE, crossing_groups(MADE, groups)) == {"VI": 2, None: 1}
