"""Which images are drawn, and how often."""

import numpy as np

from tonegap.evidence.draws import draw_weights
from tonegap.evidence.images import TestImages


def images_of(tone, unit, ids=None):
    n = len(tone)
    names = ids or tuple(map(str, range(n)))
    return TestImages(
        names, np.zeros(n, dtype=np.int64), np.array(tone), np.array(unit), ("I", "VI")
    )


def test_each_draw_has_as_many_images_of_a_tone_as_the_set():
    weights = draw_weights([images_of([0, 0, 0, 1, 1, -1], range(6))], 200)[0]
    assert (weights[:, :3].sum(axis=1) == 3).all()
    assert (weights[:, 3:5].sum(axis=1) == 2).all()
    assert (weights[:, 5] == 1).all()  # the only one of unknown tone


def test_copies_of_one_photograph_are_drawn_together():
    weights = draw_weights([images_of([0, 0, 0, 0], [7, 7, 8, 9])], 200)[0]
    assert (weights[:, 0] == weights[:, 1]).all()
    assert (weights[:, 0] != weights[:, 2]).any()


def test_a_group_with_two_tones_is_a_stratum_of_its_own():
    weights = draw_weights([images_of([0, 1, 0, 1], [1, 1, 2, 3])], 100)[0]
    assert (weights == 1).all()


def test_an_image_counts_once_on_average():
    weights = draw_weights([images_of([0] * 20, range(20))], 4000)[0]
    # A count has variance 0.95: 4,000 draws leave a standard error of 0.015.
    assert np.abs(weights.mean(axis=0) - 1).max() < 0.08
    assert abs(weights.var(axis=0).mean() - 0.95) < 0.05


def test_draws_follow_from_the_images_alone():
    one, same = images_of([0, 0, 1, 1], range(4)), images_of([0, 0, 1, 1], range(4))
    other = images_of([0, 0, 1, 1], range(4), ids=("a", "b", "c", "d"))
    assert one == same
    assert (draw_weights([one], 50)[0] == draw_weights([same], 50)[0]).all()
    assert (draw_weights([one], 50)[0] != draw_weights([other], 50)[0]).any()
