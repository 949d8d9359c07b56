from collections.abc import Callable

import numpy as np
import pytest

from tonegap_kit.determinism import generator
from tonegap_kit.errors import StageError
from tonegap_kit.sampling import cell_balanced, class_balanced, epoch_order, reweighing

# Eight rows of two classes and two tones:      tone 0       tone 1
#   class 0                                     rows 0 1 2   row 3
#   class 1                                     row 4        rows 5 6 7
Y = np.array([0, 0, 0, 0, 1, 1, 1, 1])
T = np.array([0, 0, 0, 1, 0, 1, 1, 1])


def test_class_balanced_weights_are_one_over_the_class_count() -> None:
    assert class_balanced(np.array([0, 0, 0, 1])).tolist() == [1 / 3, 1 / 3, 1 / 3, 1]


def test_cell_balanced_weights_are_one_over_the_cell_count() -> None:
    third = 1 / 3
    assert cell_balanced(Y, T).tolist() == [third, third, third, 1, 1, third, third, third]


def test_reweighing_is_tone_count_times_class_count_over_cell_count_times_all() -> None:
    # N = 8, N_tone = N_class = 4: 4 * 4 / (3 * 8) = 2/3 in the full cells, 4 * 4 / (1 * 8) = 2 else.
    assert reweighing(Y, T) == pytest.approx([2 / 3] * 3 + [2, 2] + [2 / 3] * 3)


def test_reweighing_changes_nothing_where_tone_and_class_are_independent() -> None:
    assert reweighing(np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])) == pytest.approx([1] * 4)


def test_rows_of_unknown_tone_are_never_drawn_and_keep_their_weight_of_one() -> None:
    y, t = np.append(Y, 1), np.append(T, -1)
    assert cell_balanced(y, t)[-1] == 0
    assert cell_balanced(y, t)[:-1].tolist() == cell_balanced(Y, T).tolist()
    assert reweighing(y, t)[-1] == 1
    assert reweighing(y, t)[:-1] == pytest.approx(reweighing(Y, T))


@pytest.mark.parametrize("weigh", [cell_balanced, reweighing])
def test_a_training_set_without_any_tone_is_refused(weigh: Callable[..., object]) -> None:
    with pytest.raises(StageError, match="no training image has a tone"):
        weigh(np.array([0, 1]), np.array([-1, -1]))


def test_shuffling_draws_every_row_once() -> None:
    order = epoch_order(50, None, generator(0)).tolist()
    assert sorted(order) == list(range(50))
    assert order != list(range(50))


def test_weighted_drawing_follows_the_weights_and_leaves_out_zeros() -> None:
    drawn = np.bincount(epoch_order(4, np.array([3.0, 1, 0, 0]), generator(0)), minlength=4)
    many = np.sum(
        [
            np.bincount(epoch_order(4, np.array([3.0, 1, 0, 0]), generator(seed)), minlength=4)
            for seed in range(500)
        ],
        axis=0,
    )
    assert drawn.sum() == 4
    assert many[2:].tolist() == [0, 0]
    assert 0.72 < many[0] / many.sum() < 0.78  # 2,000 draws: 0.75 +- 3 standard errors of 0.0097


def test_the_order_follows_from_its_generator_alone() -> None:
    one, same = (epoch_order(20, None, generator(5)).tolist() for _ in range(2))
    assert one == same
    assert one != epoch_order(20, None, generator(6)).tolist()
