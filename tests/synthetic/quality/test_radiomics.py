"""Radiomic features of pictures of a few pixels, by hand."""

import itertools
import math

import numpy as np
import pytest
from scipy import stats

from tonegap.synthetic.quality.radiomics import NAMES, radiomic_features


def of(grey):
    """The features of one picture of these greys, by name."""
    picture = np.repeat(np.array(grey, np.uint8)[None, :, :, None], 3, axis=-1)
    return dict(zip(NAMES, radiomic_features(picture)[0].tolist(), strict=True))


def test_two_greys_side_by_side():
    # 0 beside 160, which is level 10: one pair, counted either way round.
    found = of([[0, 160]])
    assert found["mean"] == 80
    assert found["standard deviation"] == 80
    assert (found["skewness"], found["kurtosis"]) == pytest.approx((0, 1))
    assert (found["10 % quantile"], found["90 % quantile"]) == (0, 160)
    assert (found["entropy"], found["uniformity"]) == (1, 0.5)
    assert (found["contrast"], found["dissimilarity"]) == (100, 10)
    assert found["inverse difference moment"] == pytest.approx(1 / 101)
    assert (found["joint energy"], found["joint entropy"]) == (0.5, 1)
    assert found["correlation"] == pytest.approx(-1)


def test_moments_and_quantiles_are_those_of_scipy_and_of_sorting():
    grey = np.random.default_rng(3).gamma(2, 30, (10, 10)).clip(0, 255).astype(int)
    found = of(grey)
    assert found["standard deviation"] == pytest.approx(grey.std())
    assert found["skewness"] == pytest.approx(stats.skew(grey, axis=None))
    assert found["kurtosis"] == pytest.approx(stats.kurtosis(grey, axis=None, fisher=False))
    ordered = sorted(grey.ravel().tolist())
    assert (found["10 % quantile"], found["90 % quantile"]) == (ordered[9], ordered[89])


def test_grey_is_the_mean_of_three_colours():
    picture = np.array([[[[3, 0, 1], [0, 4, 0]]]], np.uint8)
    assert radiomic_features(picture)[0, 0] == pytest.approx(4 / 3)


def test_a_picture_of_one_grey():
    found = of(np.full((4, 4), 77))
    assert found["standard deviation"] == found["skewness"] == found["kurtosis"] == 0
    assert found["contrast"] == found["joint entropy"] == found["entropy"] == 0
    assert found["joint energy"] == found["uniformity"] == found["correlation"] == 1


def test_texture_is_that_of_plain_loops():
    grey = np.random.default_rng(0).integers(0, 256, (5, 4))
    pairs = []
    for y, x in itertools.product(range(5), range(4)):
        for dy, dx in ((0, 1), (1, 0), (1, 1), (1, -1)):
            if y + dy < 5 and 0 <= x + dx < 4:
                one, other = grey[y, x] // 16, grey[y + dy, x + dx] // 16
                pairs += [(one, other), (other, one)]
    counts = {pair: pairs.count(pair) / len(pairs) for pair in set(pairs)}
    first = [one for one, _ in pairs]
    found = of(grey)
    assert found["contrast"] == pytest.approx(sum((a - b) ** 2 for a, b in pairs) / len(pairs))
    assert found["joint energy"] == pytest.approx(sum(p * p for p in counts.values()))
    assert found["joint entropy"] == pytest.approx(-sum(p * math.log2(p) for p in counts.values()))
    centred = sum((a - np.mean(first)) * (b - np.mean(first)) for a, b in pairs) / len(pairs)
    assert found["correlation"] == pytest.approx(centred / np.var(first))


def test_images_do_not_depend_on_each_other():
    images = np.random.default_rng(1).integers(0, 256, (300, 6, 6, 3), dtype=np.uint8)
    alone = np.concatenate([radiomic_features(images[i : i + 1]) for i in (0, 255, 256, 299)])
    assert radiomic_features(images)[[0, 255, 256, 299]] == pytest.approx(alone)
    assert radiomic_features(images[:0]).shape == (0, len(NAMES))
