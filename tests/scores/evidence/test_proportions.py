"""Intervals of shares and areas from few images, against values worked out by hand."""

import numpy as np
import pytest

from tonegap.scores.counts import Answers
from tonegap.scores.evidence.delong import auc_freedom, auc_variance, placements
from tonegap.scores.evidence.images import TestImages
from tonegap.scores.evidence.proportions import (
    Seeds,
    area_interval,
    effective_n,
    hanley_mcneil,
    satterthwaite,
    share_interval,
    wilson,
    worth_of_means,
)

NO_SEEDS = Seeds(0.0, 0.0, np.inf)
Z = 1.959964


@pytest.mark.parametrize(
    ("right", "ends"),
    # (p + z2 / 2n -+ z sqrt(p (1 - p) / n + z2 / 4n2)) / (1 + z2 / n), with z2 = 3.8415, n = 5.
    # 5 of 5: (1 + 0.38415 -+ 0.38415) / 1.76829. 4 of 5: (0.8 + 0.38415 -+ 1.95996 x 0.26539) / 1.76829.
    [(5, (0.5655, 1.0)), (0, (0.0, 0.4345)), (4, (0.3755, 0.9638))],
)
def test_wilsons_interval_of_five_images(right, ends):
    assert wilson(right / 5, 5, Z) == pytest.approx(ends, abs=1e-4)
    assert share_interval(right / 5, 5, NO_SEEDS, 0.95) == pytest.approx(ends, abs=1e-4)


def test_a_share_at_one_seed_is_worth_its_images_and_copies_are_worth_fewer():
    # p (1 - p) / variance: 0.16 / 0.032 = 5 images, 0.16 / 0.064 = 2.5.
    assert effective_n(0.8, 0.032, 5) == pytest.approx(5)
    assert effective_n(0.8, 0.064, 5) == pytest.approx(2.5)
    assert effective_n(0.8, 0.001, 5) == 5  # never more than were looked at
    assert effective_n(1.0, 0.0, 5) == 5  # nothing varies: those that were looked at


def test_tones_say_together_what_images_are_worth_to_a_mean_over_seeds():
    # p (1 - p) of 5 and 10 images: 5 x 0.16 + 10 x 0.09 = 1.7. Variances of means 0.016 and 0.0045 are, of one image,
    # 5 x 0.016 x 5/4 = 0.1 and 10 x 0.0045 x 10/9 = 0.05: 5 x 0.1 + 10 x 0.05 = 1. Two right and two wrong images
    # more, 4 x 0.25 = 1: design factor 2 / 2.7 = 0.740741. 4 + 9 degrees of freedom: (1.959964 / 2.160369)^2 =
    # 0.823076. So 5 / 0.740741 x 0.823076 = 5.55576.
    n = np.array([5.0, 10.0])

    def worth(p, variance, n_seeds=4):
        found = worth_of_means(np.array(p), np.array(variance), n, n - 1, n_seeds, 0.95)
        return found.tolist()

    assert worth([0.8, 0.9], [0.016, 0.0045]) == pytest.approx([5.55576, 11.11153], abs=1e-4)
    # At two seeds an image is worth two at most by what is assumed: the factor is 1/2 instead of 1.1 / 2.7.
    assert worth([0.8, 0.9], [0.0016, 0.00045], 2)[0] == pytest.approx(10 * 0.823076, abs=1e-4)
    # A tone whose images are all right is worth what the other says: 1.5 / 1.8; its own variance is 0.
    assert worth([0.8, 1.0], [0.016, 0.0])[1] == pytest.approx(10 / 1.5 * 1.8 * 0.823076, abs=1e-4)
    # Where nothing varies, and where a tone has no score.
    assert worth([1.0, 1.0], [0.0, 0.0]) == [5, 10]
    assert worth([0.8, np.nan], [0.016, np.nan])[0] == pytest.approx(6 * 0.49833, abs=1e-3)


def test_a_tone_of_one_image_says_nothing_of_how_much_images_vary():
    # The first tone has no degree of freedom: the second alone, 0.5 of 0.9, design factor 1.5 / 1.9, 9 degrees of
    # freedom: (1.959964 / 2.262157)^2 = 0.750672.
    n = np.array([1.0, 10.0])
    with np.errstate(all="raise"):
        found = worth_of_means(np.array([0.5, 0.9]), np.array([0.0, 0.0045]), n, n - 1, 4, 0.95)
    assert found == pytest.approx(n / 1.5 * 1.9 * 0.750672, abs=1e-4)


def test_a_mean_over_classes_of_which_one_has_few_images_is_known_as_well_as_that_one():
    # 10 images as above with 4 degrees of freedom: 10 x 10 x 0.0045 x 5/4 = 0.5625 of 0.9, design factor 1.5625 / 1.9;
    # (1.959964 / 2.776445)^2 = 0.498334.
    found = worth_of_means(
        np.array([0.9]), np.array([0.0045]), np.array([10.0]), np.array([4.0]), 4, 0.95
    )
    assert found == pytest.approx([10 / 1.5625 * 1.9 * 0.498334], abs=1e-4)


def test_what_seeds_add_widens_wilsons_interval_on_each_side_by_students_t():
    # 45 of 50: Wilson's is 0.78640 to 0.95652, 0.11360 down and 0.05652 up. z x the root of 0.003 is 0.10735.
    # The share to stand on is (45 + 1.92073) / (50 + 3.84146) = 0.87146, its p (1 - p) / 50 = 0.0022404.
    # Degrees of freedom 0.0052404^2 / (0.003^2 / 6) = 18.308: t = 2.0983, 1.07059 times z.
    # Down 1.07059 x root(0.11360^2 + 0.10735^2) = 0.16733.
    low, high = share_interval(0.9, 50, Seeds(0.003, 0.003, 6.0), 0.95)
    assert low == pytest.approx(0.9 - 0.16733, abs=1e-4)
    assert high == 1.0  # 0.9 + 0.12988


def test_a_share_of_all_images_at_every_seed_still_has_what_seeds_add():
    # Wilson's 50 / 53.8415 = 0.92865 is 0.07135 down; with seeds it must reach further, by 0.10735 at least.
    low, high = share_interval(1.0, 50, Seeds(0.003, 0.003, 6.0), 0.95)
    assert 0.82 < low < 1 - np.hypot(0.07135, 0.10735)
    assert high == 1.0


def test_degrees_of_freedom_of_two_variances():
    # (2 + 1)^2 / (2^2 / 4 + 1^2 / 2) = 9 / 1.5.
    assert satterthwaite(2.0, 4.0, Seeds(1.0, 1.0, 2.0)) == pytest.approx(6.0)
    assert satterthwaite(2.0, np.inf, NO_SEEDS) == np.inf
    # 1 of a measured 3, of which 2 was explained: 9 / (1 + 9 / 2).
    assert satterthwaite(2.0, 4.0, Seeds(1.0, 3.0, 2.0)) == pytest.approx(9 / 5.5)


FOUR = np.array([0.9, 0.4, 0.5, 0.1])
POSITIVE = np.array([True, True, False, False])


def test_delongs_variance_of_four_images():
    # Positives 0.9 and 0.4 stand above 2 and 1 of the 2 others: placements 1 and 0.5, mean 0.75, variance 0.125.
    # Negatives 0.5 and 0.1 stand below 1 and 2: 0.5 and 1, variance 0.125. Together 0.125 / 2 + 0.125 / 2.
    found = placements(FOUR, POSITIVE)
    assert found == pytest.approx(np.array([0.25, -0.25, -0.25, 0.25]) / np.sqrt(2))
    assert (found**2).sum() == pytest.approx(0.125)


def test_an_area_has_its_interval_on_the_logit_scale():
    # logit 0.75 = 1.0986; 1.95996 x sqrt(0.125) / 0.1875 = 3.6957: -2.5971 and 4.7943.
    low, high = area_interval(0.75, 0.125, 2, NO_SEEDS, 0.95)
    assert low == pytest.approx(1 / (1 + np.exp(2.5971)), abs=1e-4)
    assert high == pytest.approx(1 / (1 + np.exp(-4.7943)), abs=1e-4)


def test_an_area_of_means_over_seeds_is_known_as_well_as_its_images_say_its_variance():
    # Five images of the rarer side: Student's t of 4 is 2.77645, x sqrt(0.125) / 0.1875 = 5.2353: -4.1367 and 6.3339.
    low, high = area_interval(0.75, 0.125, 5, NO_SEEDS, 0.95, df=4)
    assert low == pytest.approx(1 / (1 + np.exp(4.1367)), abs=1e-4)
    assert high == pytest.approx(1 / (1 + np.exp(-6.3339)), abs=1e-4)


def test_a_perfect_area_is_no_certainty():
    # Hanley and McNeil at 0.8 with 5 and 5: 0.16 (1 + 4 (0.2 / 1.2 + 0.8 / 1.8)) / 25 = 0.022044.
    assert hanley_mcneil(0.8, (5, 5)) == pytest.approx(0.022044, abs=1e-6)
    low, high = area_interval(1.0, 0.0, 5, NO_SEEDS, 0.95)
    assert high == 1.0
    assert 1 - low == pytest.approx(Z * np.sqrt(hanley_mcneil(low, (5, 5))), abs=1e-6)
    assert area_interval(0.0, 0.0, 5, NO_SEEDS, 0.95) == pytest.approx((0.0, 1 - low))


def images_of(units, ids=("a", "b", "c", "d")):
    return TestImages(ids, np.array([1, 1, 0, 0]), np.zeros(4, dtype=int), np.array(units), ("I",))


SAID = Answers(2, np.zeros(4), np.zeros(4), POSITIVE[:, None], POSITIVE[:, None], FOUR[:, None])


def test_copies_of_an_image_count_as_one():
    assert auc_variance([images_of([0, 1, 2, 3])], [SAID]) == pytest.approx([0.125, 0.125])
    # Groups (a, d) and (b, c): sums 0.5 and -0.5 over the root of 2, squared 0.125 each.
    assert auc_variance([images_of([0, 1, 1, 0])], [SAID]) == pytest.approx([0.25, 0.25])


def test_the_same_image_at_two_seeds_is_one_image_and_two_are_two():
    same = images_of([0, 1, 2, 3])
    assert auc_variance([same, same], [SAID, SAID]) == pytest.approx([0.125, 0.125])
    # Eight images, each counts half at its seed: 8 x (0.25 / root 2 / 2)^2.
    others = images_of([0, 1, 2, 3], ids=("e", "f", "g", "h"))
    assert auc_variance([same, others], [SAID, SAID]) == pytest.approx([0.0625, 0.0625])


def test_one_positive_image_tells_nothing_of_the_variance():
    assert np.isnan(placements(FOUR, np.array([True, False, False, False]))).all()


def test_the_variance_of_an_area_is_known_as_well_as_its_sides_say_it():
    # Positives 0.9 and 0.4 of 0.5, 0.1, 0.2: placements 1 and 2/3, variance 1/18, over 2 images 1/36. Negatives 1/2, 1,
    # 1: variance 1/12, over 3 images 1/36. With 1 and 2 degrees of freedom (2/36)^2 / ((1/36)^2 + (1/36)^2 / 2) = 8/3.
    score, positive = (
        np.array([0.9, 0.4, 0.5, 0.1, 0.2]),
        np.array([True, True, False, False, False]),
    )
    said = Answers(
        2, np.zeros(5), np.zeros(5), positive[:, None], positive[:, None], score[:, None]
    )

    def freedom(units):
        images = TestImages(
            tuple("abcde"), positive.astype(int), np.zeros(5, dtype=int), np.array(units), ("I",)
        )
        return auc_freedom(images, said)

    assert freedom([0, 1, 2, 3, 4]) == pytest.approx([8 / 3, 8 / 3])
    # Two of the negatives are one photograph: 1 degree of freedom, 4 / 2.
    assert freedom([0, 1, 2, 3, 3]) == pytest.approx([2, 2])
