"""Which images are drawn, and how often."""

import numpy as np
import pytest

from tonegap.scores.evidence.bootstrap import draw_weights, union_of
from tonegap.scores.evidence.images import TestImages


def images_of(tone, unit, ids=None):
    n = len(tone)
    names = ids or tuple(map(str, range(n)))
    return TestImages(
        names, np.zeros(n, dtype=np.int64), np.array(tone), np.array(unit), ("I", "VI")
    )


def test_each_draw_has_as_many_images_of_a_tone_as_the_set():
    weights = draw_weights((images_of([0, 0, 0, 1, 1, -1], range(6)),), 200)[0]
    assert (weights[:, :3].sum(axis=1) == 3).all()
    assert (weights[:, 3:5].sum(axis=1) == 2).all()
    assert (weights[:, 5] == 1).all()  # the only one of unknown tone


def test_copies_of_one_photograph_are_drawn_together():
    weights = draw_weights((images_of([0, 0, 0, 0], [7, 7, 8, 9]),), 200)[0]
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 0] != weights[:, 2]).any()


def test_a_group_with_two_tones_is_a_stratum_of_its_own():
    weights = draw_weights((images_of([0, 1, 0, 1], [1, 1, 2, 3]),), 100)[0]
    assert (weights == 1).all()


def test_an_image_counts_once_on_average():
    weights = draw_weights((images_of([0] * 20, range(20)),), 4000)[0]
    # A count has variance 0.95: 4,000 draws leave a standard error of 0.015.
    assert np.abs(weights.mean(axis=0) - 1).max() < 0.08
    assert abs(weights.var(axis=0).mean() - 0.95) < 0.05


def test_draws_follow_from_the_images_alone():
    one, same = images_of([0, 0, 1, 1], range(4)), images_of([0, 0, 1, 1], range(4))
    other = images_of([0, 0, 1, 1], range(4), ids=("a", "b", "c", "d"))
    assert one == same
    assert (draw_weights((one,), 50)[0] == draw_weights((same,), 50)[0]).all()
    assert (draw_weights((one,), 50)[0] != draw_weights((other,), 50)[0]).any()


def test_an_image_in_the_test_sets_of_two_seeds_is_drawn_once_for_both():
    one = images_of([0, 0, 0], [0, 1, 2], ("a", "b", "c"))
    other = images_of([0, 0, 0], [0, 1, 2], ("d", "c", "b"))
    first, second = draw_weights((one, other), 300)
    assert (first[:, 1] == second[:, 2]).all()  # b
    assert (first[:, 2] == second[:, 1]).all()  # c
    assert (first[:, 0] != second[:, 0]).any()  # a and d
    # Four units of one tone are drawn four times in all.
    assert (first.sum(axis=1) + second[:, 0] == 4).all()


def test_near_duplicates_in_other_test_sets_are_drawn_together():
    # a and b are one group at the first seed, b and c at the second: so are a and c.
    one = images_of([0, 0, 0], [5, 5, 6], ("a", "b", "z"))
    other = images_of([0, 0, 0], [1, 0, 0], ("y", "b", "c"))
    first, second = draw_weights((one, other), 200)
    assert (first[:, 0] == second[:, 2]).all()
    assert union_of((one, other)).names == ("a", "y", "z")


def test_one_test_set_at_every_seed_is_drawn_as_that_of_one_seed():
    one = images_of([0, 0, 1, 1], [0, 0, 1, 2], ("a", "b", "c", "d"))
    # The same images in another order, their groups with other numbers.
    other = images_of([1, 0, 1, 0], [9, 3, 4, 3], ("d", "b", "c", "a"))
    alone = draw_weights((one,), 100)[0]
    first, second = draw_weights((one, other), 100)
    assert (first == alone).all()
    assert (second == alone[:, [3, 1, 2, 0]]).all()


def test_the_numbers_of_near_duplicate_groups_do_not_tell_test_sets_apart():
    assert images_of([0, 0, 1], [0, 0, 1]) == images_of([0, 0, 1], [7, 7, 3])
    assert images_of([0, 0, 1], [0, 0, 1]) != images_of([0, 0, 1], [0, 1, 1])


def test_a_mean_over_overlapping_test_sets_varies_by_how_often_each_image_counts():
    # 40 images, of which 20 are in both sets of 30 and 20 in one; each set has 15 right, 10 of them shared.
    right = np.tile([1.0, 0.0], 20)
    ids = [f"{i:02}" for i in range(40)]
    sets = [list(range(30)), list(range(20)) + list(range(30, 40))]
    seeds = [images_of([0] * 30, range(30), tuple(ids[i] for i in at)) for at in sets]
    weights = draw_weights(tuple(seeds), 20000)
    drawn = [w @ right[at] / w.sum(axis=1) for w, at in zip(weights, sets, strict=True)]
    # An image counts (1/2)(1/30) for each set it is in: 20 images twice, 20 once, each with variance 1/4.
    by_hand = (20 * 4 + 20) * 0.25 / 60**2
    independent = 0.25 / 30 / 2
    assert np.mean(drawn, axis=0).var() == pytest.approx(by_hand, rel=0.06)
    assert by_hand > 1.6 * independent
