"""Which test images an entry misses, by tone."""

import numpy as np

from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.evidence.missed_images import (
    N_LISTED,
    UNKNOWN,
    MissedImage,
    MissedOfTone,
    missed_images,
)


def answers(rows):
    """Answers of one seed to images, each (id, tone, true class, probability of "b")."""
    ids, tones, labels, p = zip(*rows, strict=True)
    both = np.array([[1 - b, b] for b in p])
    return TestAnswers(ids, labels, tones, tuple(range(len(ids))), ("a", "b"), both, 1, None)


def test_an_image_is_counted_in_the_seeds_that_test_it_and_in_those_that_miss_it():
    first = answers([("w", "I", "a", 0.9), ("x", "II", "a", 0.6), ("y", "V", "b", 0.8)])
    second = answers([("x", "II", "a", 0.3), ("y", "V", "b", 0.7), ("z", None, "b", 0.2)])
    light, dark, unknown = missed_images([first, second], ("I-II", "V-VI"))
    # w: missed in the one seed that tests it; x: in one of two, so after it.
    assert light == MissedOfTone(
        "I-II", (MissedImage("w", "a", ("b",), 1, 1), MissedImage("x", "a", ("b",), 1, 2)), 2, 2
    )
    assert dark == MissedOfTone("V-VI", (), 0, 1)
    assert unknown == MissedOfTone(UNKNOWN, (MissedImage("z", "b", ("a",), 1, 1),), 1, 1)


def test_of_many_the_surest_errors_are_listed_and_all_are_counted():
    rows = [(f"i{n:02}", "V-VI", "a", 0.6 + n / 100) for n in range(N_LISTED + 3)]
    (dark,) = missed_images([answers(rows)], ("V-VI",))
    assert (dark.n_missed, dark.n_tested, len(dark.images)) == (
        N_LISTED + 3,
        N_LISTED + 3,
        N_LISTED,
    )
    assert dark.images[0].image_id == f"i{N_LISTED + 2}"
