"""What a baseline is told of in place of tones: every axis on six images, worked out by hand."""

import numpy as np
import pytest

from tonegap_kit.baseline import TrainingData
from tonegap_kit.errors import StageError
from tonegap_kit.partition import UNKNOWN, Partition, Pictures
from tonegap_kit.told_groups import told_groups, worst_group

from .conftest import stage_of

Y, T = [0, 1, 0, 1, 0, 1], [0, 2, 3, 5, UNKNOWN, 3]


def _rows(y: list[int], t: list[int]) -> Partition:
    return Partition(tuple(map(str, y)), np.array(y), np.array(t), Pictures(()))


def _told(axis: str, tones: int = 6) -> tuple[tuple[str, ...], list[int], list[int]]:
    held_out = _rows([1, UNKNOWN], [5, UNKNOWN])
    data = TrainingData(_rows(Y, [min(t, tones - 1) for t in T]), 6, held_out)
    stage, told = told_groups(stage_of(tones=tones, mitigate_by=axis), data)
    return stage.job.tones, told.train.t.tolist(), told.held_out.t.tolist()


@pytest.mark.parametrize(
    ("axis", "names", "train", "held_out"),
    [
        ("tone", ("I", "II", "III", "IV", "V", "VI"), T, [5, -1]),
        ("light-dark", ("light", "dark"), [0, 0, 1, 1, -1, 1], [1, -1]),
        ("class", ("a", "b"), Y, [1, -1]),
    ],
)
def test_groups_stand_in_the_place_of_tones(
    axis: str, names: tuple[str, ...], train: list[int], held_out: list[int]
) -> None:
    assert _told(axis) == (names, train, held_out)


def test_tone_and_class_make_a_group_each() -> None:
    names, train, _ = _told("tone-class")
    assert names[:3] == ("I a", "I b", "II a")
    assert train == [0, 5, 6, 11, -1, 7]


def test_the_middle_of_three_tones_counts_as_dark() -> None:
    assert _told("light-dark", tones=3)[1] == [0, 1, 1, 1, -1, 1]


def test_tones_dealt_anew_keep_their_numbers_and_the_unknown_their_places() -> None:
    names, train, _ = _told("random")
    assert names == ("I", "II", "III", "IV", "V", "VI")
    assert train[4] == UNKNOWN
    assert sorted(train) == sorted(T)
    assert _told("random")[1] == train


def test_no_group_at_all_is_refused() -> None:
    data = TrainingData(_rows(Y, [UNKNOWN] * 6), 6, _rows([1], [5]))
    with pytest.raises(StageError, match="no training image has a tone"):
        told_groups(stage_of(mitigate_by="light-dark"), data)


def test_the_worst_group_is_the_least_accurate_one_with_images() -> None:
    hits = np.array([True, False, True, True, False])
    # Group 0: a half; group 2: two of three, one of them wrong; group 1 has no image.
    assert worst_group(hits[:4], np.array([0, 0, 2, 2]), 3) == 0
    assert worst_group(hits, np.array([0, 2, 0, 2, UNKNOWN]), 3) == 2


def test_one_group_alone_cannot_be_the_worst() -> None:
    with pytest.raises(StageError, match="fewer than two groups"):
        worst_group(np.array([True]), np.array([1]), 2)
