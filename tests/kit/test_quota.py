from collections.abc import Callable

import numpy as np
import pytest

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Partition, Pictures
from tonegap_kit.quota import (
    QuotaRule,
    by_ratio,
    draw_sources,
    level_counts,
    plan_quotas,
    read_rule,
)


def _partition(cells: dict[tuple[int, int], int]) -> Partition:
    """As many rows of (class, tone) as said."""
    y = np.array([y for (y, _), n in cells.items() for _ in range(n)])
    t = np.array([t for (_, t), n in cells.items() for _ in range(n)])
    ids = tuple(str(i) for i in range(len(y)))
    return Partition(ids, y, t, Pictures((np.zeros((len(y), 4, 4, 3), np.uint8),)))


def _counts(train: Partition, rule: QuotaRule) -> dict[tuple[int, int], int]:
    return {(o.y, o.t): o.n for o in plan_quotas(train, rule)}


def test_dark_tones_are_filled_to_the_most_frequent_tone_of_their_class() -> None:
    train = _partition({(0, 0): 4, (0, 1): 6, (0, 4): 1, (1, 1): 2, (1, 5): 3})
    # Class 0: its largest tone has 6: V lacks 5, VI lacks 6. Class 1: VI is the largest, V lacks 3.
    assert _counts(train, QuotaRule((4, 5), 1.0, 99)) == {(0, 4): 5, (0, 5): 6, (1, 4): 3}


def test_fill_is_a_share_of_the_most_frequent_tone() -> None:
    train = _partition({(0, 0): 10, (0, 4): 2})
    assert _counts(train, QuotaRule((4,), 0.5, 99)) == {(0, 4): 3}


def test_orders_shrink_together_to_the_limit() -> None:
    train = _partition({(0, 0): 10, (1, 0): 20})
    # 10 + 20 are missing, 15 are allowed: half of each.
    assert _counts(train, QuotaRule((5,), 1.0, 15)) == {(0, 5): 5, (1, 5): 10}


def test_a_class_without_lighter_images_and_rows_of_unknown_tone_are_left_out() -> None:
    train = _partition({(0, 5): 3, (0, -1): 4, (1, -1): 5})
    assert _counts(train, QuotaRule((4, 5), 1.0, 99)) == {}


def test_sources_are_of_the_same_class_and_lighter() -> None:
    train = _partition({(0, 0): 2, (0, 2): 1, (0, 5): 1, (1, 0): 9, (0, -1): 1})
    (order,) = [o for o in plan_quotas(train, QuotaRule((4,), 1.0, 99)) if o.y == 0]
    assert order.lighter.tolist() == [0, 1, 2]


def test_every_source_is_used_before_any_is_used_again() -> None:
    drawn = draw_sources(np.array([3, 5, 8]), 7, np.random.default_rng(0))
    assert sorted(drawn[:3]) == sorted(drawn[3:6]) == [3, 5, 8]
    assert len(drawn) == 7


def test_no_images_have_no_sources() -> None:
    assert draw_sources(np.array([3, 5]), 0, np.random.default_rng(0)).tolist() == []


def test_the_rule_is_read_for_types_and_for_groups(make_stage: Callable[..., Stage]) -> None:
    parameters = {"targets": ["V", "VI", "V-VI"], "fill": 1.0, "ratio": 0.5, "balance": "off"}
    assert read_rule(make_stage(parameters), 9) == QuotaRule((4, 5), 1.0, 4)
    groups = make_stage(parameters, tones=["I-II", "III-IV", "V-VI"])
    assert read_rule(groups, 9) == QuotaRule((2,), 1.0, 4)


def test_targets_that_are_no_tones_of_the_task_are_refused(
    make_stage: Callable[..., Stage],
) -> None:
    with pytest.raises(StageError, match="targets are V-VI, none of which is a tone of this task"):
        read_rule(make_stage({"targets": ["V-VI"], "fill": 1.0, "ratio": 1.0, "balance": "off"}), 9)


def test_three_levels_raise_the_rarest_tones_first_and_then_their_rarest_classes() -> None:
    """Tones have 9, 2 and 4 images; 8 more bring the last two to 7: 5 and 3.

    Within the first of these 2 and 0 become 4 and 3, within the other 1 and 3 become 4 and 3.
    """
    real = np.array([[5, 2, 1], [4, 0, 3]])
    can = np.array([[False, True, True], [False, True, True]])
    assert level_counts(real, can, 8).tolist() == [[0, 2, 3], [0, 3, 0]]
    # One image: the rarest tone's rarest class.
    assert level_counts(real, can, 1).tolist() == [[0, 0, 0], [0, 1, 0]]
    # A class that cannot be made in a tone leaves its share to the others; no cell at all gets none.
    can[1, 1] = False
    assert level_counts(real, can, 8).tolist() == [[0, 5, 3], [0, 0, 0]]
    assert level_counts(real, np.zeros_like(can), 8).sum() == 0


def test_three_levels_fill_a_tone_to_the_most_frequent_one_and_within_the_limit() -> None:
    """Tones I, V, VI have 12, 2, 0 images: V lacks 10 and VI 12.

    In V the classes have 2 and 0: 4 and 6 more make 6 each.
    """
    train = _partition({(0, 0): 8, (1, 0): 4, (0, 4): 2, (1, -1): 3})
    whole = QuotaRule((4, 5), 1.0, 99, three_levels=True)
    assert _counts(train, whole) == {(0, 4): 4, (1, 4): 6, (0, 5): 6, (1, 5): 6}
    # 4 images: VI comes to 3 and V to 3, which is one more; class by class the rarer first.
    limited = QuotaRule((4, 5), 1.0, 4, three_levels=True)
    assert _counts(train, limited) == {(1, 4): 1, (0, 5): 2, (1, 5): 1}


def test_three_levels_make_nothing_of_a_class_without_lighter_images() -> None:
    train = _partition({(0, 0): 4, (1, 5): 1})
    # Class 1 has nothing lighter than VI; V lacks 4 and VI 3, all of class 0.
    assert _counts(train, QuotaRule((4, 5), 1.0, 99, three_levels=True)) == {(0, 4): 4, (0, 5): 3}


def test_an_unknown_balance_is_refused(make_stage: Callable[..., Stage]) -> None:
    given = {"targets": ["V"], "fill": 1.0, "ratio": 1.0, "balance": "even"}
    with pytest.raises(StageError, match="balance is 'even', wanted off or three-level"):
        read_rule(make_stage(given), 9)


@pytest.mark.parametrize(
    ("ratio", "images", "wanted"),
    [(0.29, 100, 29), (1.1, 10, 11), (0.7, 190, 133), (0.5, 3, 1), (1e-3, 999, 0), (1000, 2, 2000)],
)
def test_a_ratio_is_the_decimal_that_was_written(ratio: float, images: int, wanted: int) -> None:
    """In floating point 0.29 times 100 is less than 29."""
    assert by_ratio(ratio, images) == wanted


def test_more_than_a_thousand_of_each_image_are_refused() -> None:
    with pytest.raises(StageError, match=r"ratio is 1000\.5, wanted at most 1,000 images for each"):
        by_ratio(1000.5, 1)
