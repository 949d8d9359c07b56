"""What training seeds differ by, by moments, on tables small enough to add up."""

import numpy as np
import pytest

from tonegap.scores.counts import Answers
from tonegap.scores.evidence.images import TestImages
from tonegap.scores.evidence.seeds import (
    SampledMetric,
    SeedMean,
    class_mean_worth,
    pooled,
    seed_mean,
)


def seeds_of(*points, spread=0.0):
    """Seeds of one score; the draws of the first are `spread` above and below, those of the others the other way."""
    swing = spread * np.array([1.0, -1.0])
    return [
        SampledMetric(np.array([[p]]), (p + (swing if i == 0 else -swing))[:, None])
        for i, p in enumerate(points)
    ]


N = np.array([1e9])


def test_seeds_vary_by_more_than_draws_explain():
    # 0.70 and 0.76: variance 0.0018. Draws leave the mean alone and move each seed by 0.01: 2 x 0.0001 / 1.
    found = seed_mean(seeds_of(0.70, 0.76, spread=0.01), N)
    assert found.point == pytest.approx([0.73])
    assert found.draws[:, 0] == pytest.approx([0.73, 0.73])
    assert found.excess == pytest.approx([0.0018 - 0.0002])


def test_draws_of_few_images_explain_as_much_as_those_of_few_images_vary():
    # Of 2 units draws vary by half of what they should: 0.0004 of the 0.0018.
    found = seed_mean(seeds_of(0.70, 0.76, spread=0.01), np.array([2.0]))
    assert found.excess == pytest.approx([0.0018 - 0.0004])


def table(*excess, n_seeds=2):
    return [
        {
            "pqd": SeedMean(
                np.zeros(1), np.zeros((2, 1)), N, n_seeds, np.array([e]), np.array([2 * e])
            )
        }
        for e in excess
    ]


def test_the_mean_over_entries_is_taken_before_what_is_below_0_is_cut():
    # (0.0016 - 0.0004) / 2; one entry with 2 seeds has 1 degree of freedom, two have 2.
    found = pooled(table(0.0016, -0.0004))
    assert found.variance["pqd"] == pytest.approx([0.0006])
    assert found.between["pqd"] == pytest.approx([0.0012])  # twice that each, by construction
    assert found.df["pqd"] == pytest.approx([2])
    assert found.n_entries == 2
    assert pooled(table(0.0016, -0.0020)).variance["pqd"] == pytest.approx([0.0])


def test_an_entry_counts_by_its_seeds_minus_one():
    # (0.0010 x 1 + 0.0030 x 4) / 5.
    found = pooled([*table(0.0010), *table(0.0030, n_seeds=5)])
    assert found.variance["pqd"] == pytest.approx([0.0026])
    assert found.df["pqd"] == pytest.approx([5])
    of_mean = found.of_mean("pqd", 0, 5)
    assert (of_mean.variance, of_mean.df) == (pytest.approx(0.00052), 5)


def test_entries_trained_once_say_nothing_of_seeds():
    alone = {"pqd": seed_mean(seeds_of(0.7), N)}
    assert pooled([alone]) is None
    assert pooled([alone, *table(0.0016)]).variance["pqd"] == pytest.approx([0.0016])


def test_a_score_that_is_undefined_at_an_entry_is_left_out_of_the_mean():
    found = pooled(table(0.0016, float("nan")))
    assert found.variance["pqd"] == pytest.approx([0.0016])
    assert found.df["pqd"] == pytest.approx([1])


def test_a_mean_over_classes_is_worth_what_the_recalls_of_all_tones_make_its_variance():
    # Tones I and VI have 9 images of a and 4 of b each. All 18 of a are right, 5 of 8 of b: 4 in I, 1 in VI. With one
    # right and one wrong more 19/20 = 0.95 and 6/10 = 0.6. Variance of the mean (0.0475 / 9 + 0.24 / 4) / 4, which is
    # 0.0013194 + 0.015 = 0.0163194; 0.775 x 0.225 = 0.174375: worth 10.6851 in both tones. Degrees of freedom
    # 0.0163194^2 / (0.0013194^2 / 8 + 0.015^2 / 3) = 3.5406.
    # F1: of a 9 x 0.95 = 8.55 right, 9 + 8.55 + 1.6 called or true: 17.1 / 19.15. Of b 4.8 / 6.85. Mean 0.796840.
    # An image of a that is called b costs (2 / 19.15 - 17.1 / 19.15^2 + 4.8 / 6.85^2) / 2 = 0.080053, one of b called a
    # (2 / 6.85 - 4.8 / 6.85^2 + 17.1 / 19.15^2) / 2 = 0.118152. Variance 9 x 0.0475 x 0.080053^2 + 4 x 0.24 x
    # 0.118152^2 = 0.0161411; 0.161886 over it is 10.029.
    y = np.tile([0] * 9 + [1] * 4, 2)
    predicted = np.array([0] * 9 + [1] * 4 + [0] * 9 + [1, 0, 0, 0])
    ids, tone = tuple(map(str, range(26))), np.repeat([0, 1], 13)
    images, none = TestImages(ids, y, tone, np.arange(26), ("I", "VI")), np.zeros((26, 1))
    found = class_mean_worth(images, Answers(2, predicted, none, none, none, none))
    worth, df = found["balanced_accuracy"]
    assert worth == pytest.approx([10.6851, 10.6851, 21.3702], abs=1e-3)
    assert df[:2] == pytest.approx([3.5406, 3.5406], abs=1e-3)
    assert found["macro_f1"][0] == pytest.approx([10.029, 10.029, 20.059], abs=2e-3)


def test_a_mean_over_classes_of_one_call_for_all_is_worth_no_more_than_its_images():
    # Recalls 0 and 1 hardly vary, and with them a half: 10 images are worth 10.
    y, none = np.array([0] * 6 + [1] * 4), np.zeros((10, 1))
    images = TestImages(tuple("abcdefghij"), y, np.zeros(10, dtype=int), np.arange(10), ("I",))
    said = Answers(2, np.zeros(10, dtype=int), none, none, none, none)
    assert class_mean_worth(images, said)["balanced_accuracy"][0] == pytest.approx([10, 10])
