"""Distances, diversity and near copies against closed forms and plain loops."""

import itertools
import math

import numpy as np
import pytest

from tonegap.synthetic.quality.distance import (
    density_and_coverage,
    expected_coverage,
    frechet_distance,
    frechet_reason,
    kernel_distance,
    kernel_reason,
    mean_pairwise_distance,
    nearest_rows,
    subsample,
    vendi_score,
)


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def with_moments(rng, n, mean, deviations):
    """Rows [n, d] whose sample mean and sample covariance are exactly these (no correlation)."""
    first = np.hstack([np.ones((n, 1)), rng.normal(size=(n, len(mean)))])
    basis, _ = np.linalg.qr(first)  # columns at right angles to each other and to the constant
    return mean + basis[:, 1:] * math.sqrt(n - 1) * np.asarray(deviations)


def polynomial(x, y):
    return (sum(a * b for a, b in zip(x, y, strict=True)) / len(x) + 1) ** 3


def plain_kid(real, made):
    """The unbiased estimate, pair by pair."""
    within = [
        sum(polynomial(a, b) for a, b in itertools.permutations(rows, 2))
        / (len(rows) * (len(rows) - 1))
        for rows in (real, made)
    ]
    between = sum(polynomial(a, b) for a in real for b in made) / (len(real) * len(made))
    return sum(within) - 2 * between


class TestFrechet:
    def test_it_is_the_closed_form_of_two_normal_distributions(self, rng):
        """Independent features: |difference of means|² + sum of (difference of deviations)²."""
        real = with_moments(rng, 60, [0, 0, 0], [1, 2, 3])
        made = with_moments(rng, 40, [1, 0, 2], [3, 2, 1])
        assert frechet_distance(real, made) == pytest.approx(1 + 4 + (4 + 0 + 4))

    def test_it_is_the_closed_form_with_correlated_features_too(self, rng):
        """A rotation of both sets moves no distance; a covariance C against 4 C is tr(C)."""
        turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
        real = with_moments(rng, 60, [0, 0, 0], [1, 2, 3]) @ turn
        assert frechet_distance(real, 2 * real) == pytest.approx(1 + 4 + 9)

    def test_a_set_is_nowhere_but_where_it_is(self, rng):
        real = rng.normal(size=(50, 4))
        assert frechet_distance(real, real[::-1]) == pytest.approx(0, abs=1e-9)

    def test_one_feature_is_enough(self, rng):
        real = with_moments(rng, 30, [0], [1])
        assert frechet_distance(real, 2 * real + 3) == pytest.approx(9 + 1)

    def test_it_is_undefined_unless_there_are_more_images_than_features(self):
        assert frechet_reason(257, 257, 256) is None
        assert frechet_reason(256, 300, 256).startswith("256 real training images for 256 features")
        assert frechet_reason(300, 12, 256).startswith("12 synthetic images for 256 features")


class TestKernel:
    def test_it_is_the_mean_over_all_pairs_and_no_image_with_itself(self, rng):
        real, made = rng.normal(size=(31, 3)), rng.normal(0.3, 1.2, size=(23, 3))
        assert kernel_distance(real, made).value == pytest.approx(plain_kid(real, made))

    def test_its_error_is_that_of_leaving_out_one_block_of_ten_after_the_other(self, rng):
        real, made = rng.normal(size=(25, 2)), rng.normal(0.5, 1, size=(21, 2))
        without = []
        for block in range(10):
            kept = [[row for i, row in enumerate(rows) if i % 10 != block] for rows in (real, made)]
            without.append(plain_kid(*kept))
        mean = sum(without) / 10
        expected = math.sqrt(9 / 10 * sum((value - mean) ** 2 for value in without))
        found = kernel_distance(real, made)
        assert found.standard_error == pytest.approx(expected)
        assert found.blocks == (3, 3)

    def test_two_draws_of_one_distribution_are_zero_apart_within_their_error(self, rng):
        found = [kernel_distance(*rng.normal(size=(2, 100, 4))) for _ in range(40)]
        inside = [abs(kid.value) < 2 * kid.standard_error for kid in found]
        assert min(kid.value for kid in found) < 0 < max(kid.value for kid in found)
        assert sum(inside) >= 34  # about 95 % of 40

    def test_a_shifted_set_is_far_away(self, rng):
        found = kernel_distance(rng.normal(size=(60, 4)), rng.normal(2, 1, size=(60, 4)))
        assert found.value > 5 * found.standard_error

    def test_it_is_undefined_below_twenty_images(self):
        assert kernel_reason(20, 20) is None
        assert kernel_reason(19, 50) == "19 real training images; at least 20 are wanted"
        assert kernel_reason(50, 0) == "0 synthetic images; at least 20 are wanted"


class TestDiversity:
    def test_mean_distance_of_three_corners(self):
        corners = np.array([[0.0, 0], [3, 0], [0, 4]])
        assert mean_pairwise_distance(corners) == pytest.approx((3 + 4 + 5) / 3)

    def test_copies_are_no_distance_apart_and_one_image_has_none(self):
        assert mean_pairwise_distance(np.full((4, 2), 7.7)) == pytest.approx(0, abs=1e-6)
        assert mean_pairwise_distance(np.ones((1, 2))) is None

    def test_vendi_counts_directions(self):
        """Four images in three directions at right angles, two of them one way: entropy by hand."""
        x = np.array([[1.0, 0, 0], [0, 2, 0], [0, 0, 3], [0, 0, 1]])
        expected = math.exp(2 * 0.25 * math.log(4) + 0.5 * math.log(2))
        assert vendi_score(x, np.zeros(3)) == pytest.approx(expected)

    def test_vendi_of_copies_is_one_and_of_images_at_right_angles_their_number(self):
        assert vendi_score(np.ones((6, 3)), np.zeros(3)) == pytest.approx(1)
        assert vendi_score(np.eye(5), np.zeros(5)) == pytest.approx(5)

    def test_vendi_is_the_same_by_features_and_by_images(self, rng):
        """More images than features, or fewer: the other product has the same eigenvalues."""
        x = rng.normal(size=(6, 9))
        wide = np.hstack([x, np.zeros((6, 4))])
        repeated = np.repeat(x, 3, axis=0)
        zero = np.zeros(9)
        assert vendi_score(wide, np.zeros(13)) == pytest.approx(vendi_score(x, zero))
        assert vendi_score(repeated, zero) == pytest.approx(vendi_score(x, zero))

    def test_vendi_without_any_direction_is_undefined(self):
        assert vendi_score(np.ones((3, 2)), np.ones(2)) is None


class TestNearest:
    def test_the_nearest_row_and_its_distance(self):
        among = np.array([[0.0, 0], [10, 0], [0, 10]])
        rows, distances = nearest_rows(np.array([[9.0, 1], [1, 0]]), among, is_same=False)
        assert rows.tolist() == [1, 0]
        assert distances.tolist() == pytest.approx([math.sqrt(2), 1])

    def test_a_row_is_not_its_own_neighbour(self):
        among = np.array([[0.0], [1], [5]])
        rows, distances = nearest_rows(among, among, is_same=True)
        assert rows.tolist() == [1, 0, 1]
        assert distances.tolist() == [1, 1, 4]

    def test_a_copy_is_exactly_zero_away(self, rng):
        among = rng.normal(1000, 1, size=(50, 8))
        _, distances = nearest_rows(among[7:8].copy(), among, is_same=False)
        assert distances.tolist() == [0.0]

    def test_many_rows_are_found_as_few_are(self, rng):
        of, among = rng.normal(size=(2100, 2)), rng.normal(size=(30, 2))
        rows, _ = nearest_rows(of, among, is_same=False)
        plain = [
            int(np.argmin(((among - row) ** 2).sum(axis=1))) for row in of[[0, 1023, 1024, 2099]]
        ]
        assert rows[[0, 1023, 1024, 2099]].tolist() == plain


def test_thinning_takes_rows_evenly_from_the_first_to_the_last():
    assert subsample(np.arange(9.0), 3).tolist() == [0, 4, 8]
    assert subsample(np.arange(2.0), 3).tolist() == [0, 1]


class TestCoverage:
    def test_it_is_what_plain_loops_count(self, rng):
        real, made = rng.normal(size=(23, 2)), rng.normal(0.5, 1, size=(31, 2))
        within = covered = 0
        for i, x in enumerate(real):
            others = sorted(math.dist(x, z) for j, z in enumerate(real) if j != i)
            inside = sum(math.dist(x, z) < others[4] for z in made)
            within, covered = within + inside, covered + (inside > 0)
        (density, coverage), errors = density_and_coverage(real, made)
        assert (density, coverage) == pytest.approx((within / (5 * 31), covered / 23))
        left = [
            density_and_coverage(*(np.delete(x, np.s_[i::10], 0) for x in (real, made)))[0]
            for i in range(10)
        ]
        assert errors == pytest.approx(np.sqrt(9 * np.var(left, axis=0)))

    def test_copies_cover_all_and_images_from_elsewhere_nothing(self, rng):
        real = rng.normal(size=(40, 3))
        assert density_and_coverage(real, real)[0][1] == 1
        assert density_and_coverage(real, real + 100)[0].tolist() == [0, 0]

    def test_one_crowded_place_has_density_and_no_coverage(self):
        real = np.arange(40.0)[:, None]
        (density, coverage), _ = density_and_coverage(real, np.full((30, 1), 20.2))
        # Balls reach 3 to either side (5 at the ends): 18 to 23 hold 20.2, of 40.
        assert coverage == pytest.approx(6 / 40)
        assert density == pytest.approx(6 / 5)

    def test_new_images_of_the_same_kind_have_the_coverage_expected(self, rng):
        # 1 - (4/7 · 3/6 · 2/5 · 1/4 · 0/3): of five others all are within the fifth neighbour.
        assert expected_coverage(5, 3) == 1
        # 1 - (9·8·7·6·5) / (19·18·17·16·15)
        assert expected_coverage(10, 10) == pytest.approx(1 - 15120 / 1395360)
        drawn = [density_and_coverage(*rng.normal(size=(2, 60, 3)))[0] for _ in range(60)]
        # Each mean is known to about a hundredth.
        assert np.mean(drawn, axis=0) == pytest.approx([1, expected_coverage(60, 60)], abs=0.04)
