"""A partition subsampled: how many of which images, and that they are always the same."""

from collections import Counter

import pytest

from tonegap.split.parts import SplitAssignment
from tonegap.split.subset import subsample


def made(rows):
    """A partition of (part, tone, label) rows with ids `i0`, `i1`, …"""
    parts, tones, labels = zip(*rows, strict=True)
    return SplitAssignment(tuple(f"i{n}" for n in range(len(rows))), parts, labels, tones)


def cells(partition):
    rows = zip(partition.parts, partition.tones, partition.labels, strict=True)
    return Counter(row for row in rows if row[0] != "unused")


@pytest.fixture
def hundred():
    """60 training images of two tones and two classes, 20 to validate, 20 to test, 10 of no part."""
    rows = [("train", "I", "a")] * 24 + [("train", "I", "b")] * 24 + [("train", "VI", "a")] * 12
    rows += [("validation", "I", "a")] * 20
    rows += [("test", "I", "a")] * 10 + [("test", "VI", "b")] * 10
    return made([*rows, *[("unused", "I", None)] * 10])


def test_each_cell_keeps_its_share(hundred):
    assert cells(subsample(hundred, 50, "k")) == {
        ("train", "I", "a"): 12,
        ("train", "I", "b"): 12,
        ("train", "VI", "a"): 6,
        ("validation", "I", "a"): 10,
        ("test", "I", "a"): 5,
        ("test", "VI", "b"): 5,
    }


def test_what_is_left_out_is_unused_and_has_no_label(hundred):
    thin = subsample(hundred, 50, "k")
    assert thin.ids == hundred.ids
    assert thin.sizes["unused"] == 60
    pairs = zip(thin.parts, thin.labels, strict=True)
    assert all((part == "unused") == (label is None) for part, label in pairs)


@pytest.mark.parametrize("n_images", [None, 100, 1000])
def test_no_more_images_than_there_are(hundred, n_images):
    assert subsample(hundred, n_images, "k") is hundred


def test_the_same_key_gives_the_same_images_and_another_does_not(hundred):
    assert subsample(hundred, 30, "k") == subsample(hundred, 30, "k")
    assert subsample(hundred, 30, "k") != subsample(hundred, 30, "other")


def test_the_order_of_rows_changes_nothing(hundred):
    turned = SplitAssignment(*(tuple(reversed(column)) for column in
                         (hundred.ids, hundred.parts, hundred.labels, hundred.tones)))  # fmt: skip
    parts = subsample(hundred, 30, "k")
    again = subsample(turned, 30, "k")
    for part in ("train", "validation", "test"):
        assert set(parts.members(part)) == set(again.members(part))


def test_the_smallest_subset_has_every_tone_of_a_part_and_every_class_to_train_on(hundred):
    found = cells(subsample(hundred, 1, "k"))
    assert {(part, tone) for part, tone, _ in found} == {
        ("train", "I"), ("train", "VI"), ("validation", "I"), ("test", "I"), ("test", "VI"),
    }  # fmt: skip
    assert {label for part, _, label in found if part == "train"} == {"a", "b"}
    assert sum(found.values()) <= 6


def test_images_of_unknown_tone_are_a_stratum_of_their_own():
    rows = [("train", "I", "a")] * 30 + [("train", None, "a")] * 10
    rows += [("validation", "I", "a")] * 10 + [("test", "I", "a")] * 10
    assert cells(subsample(made(rows), 30, "k"))["train", None, "a"] == 5
