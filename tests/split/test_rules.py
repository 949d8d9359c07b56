"""Each rule on a handful of images whose partitions can be read off."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from tonegap.data.metadata import Metadata
from tonegap.errors import BadSplit
from tonegap.rooms.task import Task
from tonegap.split.partition import partition
from tonegap.split.published import published_parts
from tonegap.split.rows import Rows, rows_of
from tonegap.split.rules import (
    RandomHoldout,
    RandomThreeWay,
    ReferenceImages,
    TextHoldout,
    ToneHoldout,
    ValueHoldout,
)

WriteTask = Callable[..., Task]
Small = Callable[..., Metadata]


def rows_from(metadata: Metadata) -> Rows:
    index = tuple(range(len(metadata.ids)))
    return Rows(metadata, index, metadata.columns["label"], metadata.tones["tone"])


def test_value_hold_out_leaves_other_values_unused(small: Small) -> None:
    metadata = small("wxyz", "aaaa", ["I"] * 4, qc=["", "1 sure", "2 less", "1 sure"])
    rule = ValueHoldout(seeds=(0,), column="qc", train=("",), test=("1 sure",))
    assert published_parts(rule, rows_from(metadata), 0) == ["train", "test", "unused", "test"]


def test_tone_hold_out_tests_all_other_tones_and_the_unknown(small: Small) -> None:
    metadata = small("wxyz", "aaaa", ["I", "II", "VI", None])
    rule = ToneHoldout(seeds=(0,), train=("I", "II"))
    assert published_parts(rule, rows_from(metadata), 0) == ["train", "train", "test", "test"]


def test_tone_hold_out_drops_labels_of_one_side(small: Small) -> None:
    metadata = small("vwxyz", "aabac", ["I", "VI", "I", "VI", "VI"])
    rule = ToneHoldout(seeds=(0,), train=("I",), common="label")
    parts = published_parts(rule, rows_from(metadata), 0)
    assert parts == ["train", "test", "unused", "test", "unused"]


def test_text_hold_out_leaves_an_empty_cell_unused(small: Small) -> None:
    urls = ["http://one/1", "http://two/1", "", "http://three"]
    rule = TextHoldout(seeds=(0,), column="url", train="one", test="two")
    metadata = small("wxyz", "aaaa", ["I"] * 4, url=urls)
    parts = published_parts(rule, rows_from(metadata), 0)
    assert parts == ["train", "test", "unused", "unused"]


def test_random_hold_out_keeps_the_shares_of_the_stratum(small: Small) -> None:
    metadata = small([f"i{n}" for n in range(20)], "a" * 10 + "b" * 10, ["I"] * 20)
    rule = RandomHoldout(seeds=(0,), test_fraction=0.2, stratify="label", random_state=3)
    parts = published_parts(rule, rows_from(metadata), 0)
    assert (parts[:10].count("test"), parts[10:].count("test")) == (2, 2)
    assert parts == published_parts(rule, rows_from(metadata), 1)


def test_random_hold_out_without_a_state_follows_the_seed(small: Small) -> None:
    metadata = small([f"i{n}" for n in range(20)], "a" * 20, ["I"] * 20)
    rule = RandomHoldout(seeds=(0,), test_fraction=0.2)
    first, second = (published_parts(rule, rows_from(metadata), seed) for seed in (0, 1))
    assert first.count("test") == second.count("test") == 4
    assert first != second


def test_random_three_way_halves_what_is_held_out(small: Small) -> None:
    metadata = small([f"i{n}" for n in range(20)], "a" * 20, ["I"] * 20)
    rule = RandomThreeWay(seeds=(0,), held_out_fraction=0.2, random_state=3)
    parts = published_parts(rule, rows_from(metadata), 0)
    assert [parts.count(p) for p in ("train", "validation", "test")] == [16, 2, 2]


@pytest.mark.parametrize(("joins", "dark_training"), [(True, 2), (False, 0)])
def test_light_references_are_used_nowhere(joins: bool, dark_training: int, small: Small) -> None:
    tones = ["I", "II", "I", "V", "VI", "V", "III"] * 2
    metadata = small([f"i{n}" for n in range(14)], "a" * 7 + "b" * 7, tones)
    rule = ReferenceImages(
        seeds=(0,),
        light=("I", "II"),
        dark=("V", "VI"),
        references=1,
        within="class",
        dark_in_training=joins,
    )
    parts = published_parts(rule, rows_from(metadata), 0)
    light = [p for p, t in zip(parts, tones, strict=True) if t in {"I", "II"}]
    dark = [p for p, t in zip(parts, tones, strict=True) if t in {"V", "VI"}]
    assert (light.count("train"), light.count("unused")) == (4, 2)
    assert (dark.count("test"), dark.count("train")) == (4, dark_training)
    assert [parts[6], parts[13]] == ["unused", "unused"]


def test_too_few_images_for_references_are_an_error(small: Small) -> None:
    metadata = small("wxyz", "aabb", ["I", "VI", "I", "VI"])
    rule = ReferenceImages(
        seeds=(0,),
        light=("I",),
        dark=("VI",),
        references=2,
        within="class",
        dark_in_training=True,
    )
    with pytest.raises(BadSplit, match="2 reference images cannot be drawn within each class"):
        published_parts(rule, rows_from(metadata), 0)


def test_a_stratum_of_one_image_is_an_error(small: Small) -> None:
    metadata = small("wxyz", "aaab", ["I"] * 4)
    rule = RandomHoldout(seeds=(0,), test_fraction=0.5, stratify="label")
    with pytest.raises(BadSplit, match="4 images cannot be split"):
        published_parts(rule, rows_from(metadata), 0)


def test_a_missing_column_names_those_there_are(small: Small) -> None:
    metadata = small("wxyz", "aaab", ["I"] * 4)
    with pytest.raises(BadSplit, match="column 'url', this layout \\(small\\) has: label"):
        rows_from(metadata).cells("url")


def test_labels_outside_the_classes_take_no_part(write_task: WriteTask, small: Small) -> None:
    metadata = small("wxyz", "abcb", ["I"] * 4)
    rows = rows_of(write_task(), metadata)
    assert rows.ids == ("w", "x", "z")


def test_an_unknown_tone_takes_no_part_unless_kept(write_task: WriteTask, small: Small) -> None:
    metadata = small("wxyz", "abab", ["I", None, "VI", "I"])
    assert rows_of(write_task(), metadata).ids == ("w", "y", "z")
    keeping = write_task(('scored = ["I", "VI"]', 'scored = ["I", "VI"]\nkeep_unknown = true'))
    assert rows_of(keeping, metadata).ids == ("w", "x", "y", "z")


def test_a_class_without_an_image_is_an_error(write_task: WriteTask, small: Small) -> None:
    with pytest.raises(BadSplit, match="takes part in mine/task is 'b'; label has: a, c"):
        rows_of(write_task(), small("wxyz", "aaac", ["I"] * 4))


def test_renamed_cells_are_the_classes(write_task: WriteTask, small: Small) -> None:
    task = write_task(
        ('column = "label"', 'column = "label"\nrename = { True = "b", False = "a" }')
    )
    rows = rows_of(task, small("xy", ["True", "False"], ["I", "I"]))
    assert rows.classes == ("b", "a")


def test_all_classes_are_those_of_the_partitions(write_task: WriteTask, eight: Metadata) -> None:
    task = write_task(('classes = ["a", "b"]\npositive = ["b"]', 'classes = "all"'))
    assert task.classes == ()
    halves = ("pool",) * 4 + ("probe",) * 2 + ("spare",) * 2
    columns = {"label": ("b", "a", "b", "a", "b", "a", "never", "never"), "half": halves}
    made = partition(task, replace(eight, columns=columns), 0)
    assert made.classes == ("a", "b")


def test_positive_classes_can_follow_from_another_column(
    write_task: WriteTask, eight: Metadata
) -> None:
    where = 'positive_where = { column = "kind", value = "bad" }'
    task = write_task(('positive = ["b"]', where))
    kinds = {"kind": ("bad", "good") * 4}
    made = partition(task, replace(eight, columns={**eight.columns, **kinds}), 0)
    assert made.positive == ("a",)


def test_a_class_that_is_positive_in_part_is_an_error(
    write_task: WriteTask, eight: Metadata
) -> None:
    where = 'positive_where = { column = "kind", value = "bad" }'
    task = write_task(('positive = ["b"]', where))
    kinds = {"kind": ("bad",) + ("good",) * 7}
    with pytest.raises(BadSplit, match="some images of class 'a' have kind 'bad' and some have"):
        partition(task, replace(eight, columns={**eight.columns, **kinds}), 0)


def test_an_empty_test_set_is_an_error(write_task: WriteTask, eight: Metadata) -> None:
    task = write_task(('test = ["probe"]', 'test = ["prob"]'))
    with pytest.raises(BadSplit, match="mine/task has no test image"):
        partition(task, eight, 0)


def test_labels_are_given_for_used_images_only(write_task: WriteTask, eight: Metadata) -> None:
    made = partition(write_task(('test = ["probe"]', 'test = ["probe"]')), eight, 0)
    assert made.labels == eight.columns["label"]
    task = write_task(('classes = ["a", "b"]', 'classes = ["b", "c"]'))
    columns = {**eight.columns, "label": ("b", "c", "c", "a", "b", "c", "a", "a")}
    labels = partition(task, replace(eight, columns=columns), 0).labels
    assert labels == ("b", "c", "c", None, "b", "c", None, None)
