"""What training seeds differ by, by moments, on tables small enough to add up."""

import numpy as np
import pytest

from tonegap.scores.evidence.seeds import SampledMetric, SeedMean, pooled, seed_mean


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
