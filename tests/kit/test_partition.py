from collections.abc import Callable

import numpy as np
import pytest

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Pictures, has_partition, join, read_partition

MakeStage = Callable[..., Stage]
Write = Callable[..., None]


def test_labels_and_tones_become_indices_and_an_empty_tone_is_unknown(
    make_stage: MakeStage, write_partition: Write
) -> None:
    write_partition("train", "image_id,label,tone", "x,c,VI", 'y,a,""', "z,b,I")
    train = read_partition(make_stage(), "train")
    assert train.ids == ("x", "y", "z")
    assert train.y.tolist() == [2, 0, 1]
    assert train.t.tolist() == [5, -1, 0]
    assert train.pictures.take(np.array([2, 0]))[:, 0, 0, 0].tolist() == [2, 0]


def test_test_images_need_no_label_and_no_tone(
    make_stage: MakeStage, write_partition: Write
) -> None:
    write_partition("test", "image_id", "x", "y")
    test = read_partition(make_stage(), "test")
    assert test.y.tolist() == [-1, -1]
    assert test.t.tolist() == [-1, -1]


def test_test_tones_are_read_where_they_are_given(
    make_stage: MakeStage, write_partition: Write
) -> None:
    write_partition("test", "image_id,tone", "x,V", "y,")
    assert read_partition(make_stage(), "test").t.tolist() == [4, -1]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (("image_id,label,tone", "x,d,I"), "row 1: label is 'd', wanted one of 'a', 'b', 'c'"),
        (("image_id,label,tone", "x,a,-1"), "row 1: tone is '-1'"),
        (("image_id,label", "x,a"), "row 1: tone is None"),
        (("id,label,tone", "x,a,I"), "no rows with an image_id"),
        (("image_id,label,tone",), "no rows with an image_id"),
    ],
)
def test_a_bad_manifest_is_refused(
    make_stage: MakeStage, write_partition: Write, lines: tuple[str, ...], said: str
) -> None:
    write_partition("train", *lines)
    with pytest.raises(StageError, match=said):
        read_partition(make_stage(), "train")


def test_images_that_do_not_fit_their_rows_are_refused(
    make_stage: MakeStage, write_partition: Write
) -> None:
    stage = make_stage()
    write_partition("train", "image_id,label,tone", "x,a,I", n_images=2)
    with pytest.raises(
        StageError, match=r"holds uint8 \[2, 8, 8, 3\], wanted uint8 \[1, 8, 8, 3\]"
    ):
        read_partition(stage, "train")
    write_partition("train", "image_id,label,tone", "x,a,I", side=16)
    with pytest.raises(StageError, match=r"\[1, 16, 16, 3\], wanted uint8 \[1, 8, 8, 3\]"):
        read_partition(stage, "train")


@pytest.mark.parametrize("content", [None, b"", b"not numpy", b"\x93NUMPY\x01\x00"])
def test_a_missing_or_damaged_array_is_refused(
    make_stage: MakeStage, write_partition: Write, content: bytes | None
) -> None:
    write_partition("train", "image_id,label,tone", "x,a,I")
    stage = make_stage()
    path = stage.inputs / "train.npy"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StageError, match=r"train\.npy: cannot be read as an array"):
        read_partition(stage, "train")


def test_rows_of_two_partitions_keep_their_images(
    make_stage: MakeStage, write_partition: Write
) -> None:
    write_partition("train", "image_id,label,tone", "x,a,I", "y,b,II")
    write_partition("synthetic", "image_id,label,tone", "s,c,VI", "t,c,")
    stage = make_stage()
    assert has_partition(stage, "synthetic")
    both = join(read_partition(stage, "train"), read_partition(stage, "synthetic"))
    assert both.ids == ("x", "y", "s", "t")
    assert both.y.tolist() == [0, 1, 2, 2]
    # Image i of either file is all i: rows 1 and 3 are the second of their file.
    assert both.pictures.take(np.array([3, 0, 1, 2]))[:, 0, 0, 0].tolist() == [1, 0, 1, 0]


def test_pictures_count_over_all_parts() -> None:
    part = np.zeros((2, 4, 4, 3), np.uint8)
    assert len(Pictures((part, part, part))) == 6
