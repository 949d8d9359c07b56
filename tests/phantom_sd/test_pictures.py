"""What is drawn to learn from: balanced, and none of it from the benchmark's data set."""

import numpy as np
from benchmarks.phantom.models.training.captions import HEALTHY
from benchmarks.phantom.models.training.pictures import TYPICAL, classes, draw_pictures

PICTURES = draw_pictures("some", 2, TYPICAL)


def test_every_class_is_drawn_as_often_on_every_type():
    cells = PICTURES.y * 6 + PICTURES.t
    assert np.bincount(cells).tolist() == [2] * (6 * len(classes()))


def test_healthy_skin_is_smoother_than_skin_with_lesions():
    # Redness hardly varies over bare skin; every condition changes it somewhere.
    redness = PICTURES.images[..., 0].astype(float) - PICTURES.images[..., 1]
    spread = redness.std(axis=(1, 2))
    healthy = PICTURES.y == classes().index(HEALTHY)
    assert np.median(spread[healthy]) < 0.5 * np.median(spread[~healthy])


def test_lighter_types_are_brighter():
    means = [PICTURES.images[PICTURES.t == t].mean() for t in range(6)]
    assert means == sorted(means, reverse=True)


def test_the_same_purpose_gives_the_same_pictures():
    assert np.array_equal(draw_pictures("some", 2, TYPICAL).images, PICTURES.images)


def test_another_purpose_gives_other_pictures():
    assert (
        not (draw_pictures("other", 2, TYPICAL).images == PICTURES.images).all(axis=(1, 2, 3)).any()
    )
