"""What a standard deviation over test sets can be, by hand, by writing down all counts, and of simulated true cells."""

from decimal import ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal
from itertools import combinations_with_replacement

import numpy as np
import pytest

from tonegap.scores.evidence.grim import Rounded
from tonegap.scores.evidence.grimmer import spread_fits, widest_spread


def share(percent, spread, half=0.05):
    return Rounded(percent / 100, half / 100, spread / 100)


def test_a_spread_needs_whole_counts():
    # 5 sets of 10 images with 8, 8, 8, 8, 9 right: mean 82 %, population's sd 4, sample's 4.47.
    assert spread_fits(share(82.0, 4.0), 10, 5)
    assert spread_fits(share(82.0, 4.5), 10, 5)
    # Not all five can have 82 %, so they cannot be alike; nor differ by less than one image.
    assert not spread_fits(share(82.0, 0.0), 10, 5)
    assert not spread_fits(share(82.0, 3.0), 10, 5)


def test_two_counts_differ_by_a_whole_number():
    # 100 and 110 of 132: 79.545 %, 3.788 points each way, 5.357 of a sample. 101 and 109 have 3.030 and 4.285.
    assert spread_fits(share(79.5, 3.8), 132, 2)
    assert spread_fits(share(79.5, 5.4), 132, 2)
    assert not spread_fits(share(79.5, 3.5), 132, 2)


def test_counts_lie_between_none_and_all():
    # 85 of 100, 20 in each set: the widest are 20, 20, 20, 20, 5.
    # Squares 1625 - 85 x 85 / 5 = 180: sqrt(180 / 4) = 6.708 of 20, 33.5 points; sqrt(180 / 5) = 30.0.
    assert spread_fits(share(85.0, 33.5), 20, 5)
    assert not spread_fits(share(85.0, 33.7), 20, 5)
    assert not spread_fits(share(85.0, 80.0), 20, 5)


def test_no_shares_spread_more_than_none_and_all():
    # Half at 0 and half at 1: 50 points, of a sample of 2 sqrt(1/2).
    assert widest_spread(Rounded(0.5, 0.0005), 2) == pytest.approx(0.5**0.5)
    # sqrt(.8495 x .1505 x 5 / 4), as 84.95 rounds to 85.0.
    assert widest_spread(Rounded(0.85, 0.0005), 5) == pytest.approx(0.3998, abs=1e-4)
    assert widest_spread(Rounded(1.2, 0.0005), 5) == 0


@pytest.mark.parametrize(("n", "sets"), [(6, 3), (9, 4), (4, 5)])
def test_every_spread_is_possible_that_counts_have_and_none_else(n, sets):
    shown = {}
    for counts in combinations_with_replacement(range(n + 1), sets):
        for ddof in (0, 1):
            shown.setdefault(sum(counts), set()).add(float(np.std(counts, ddof=ddof)) / n)
    for total, able in shown.items():
        mean = total / (n * sets)
        for spread in np.arange(0, 0.7, 0.005):
            fits = min(abs(spread - x) for x in able) <= 5e-5
            assert spread_fits(Rounded(mean, 1e-6, spread, 5e-5), n, sets) == fits


def rounded(value, digits, mode):
    return float(Decimal(100 * float(value)).quantize(Decimal(1).scaleb(-digits), mode))


@pytest.mark.parametrize("mode", [ROUND_HALF_EVEN, ROUND_HALF_UP])
def test_no_true_cell_is_called_impossible(mode):
    rng = np.random.default_rng(7)
    for _ in range(300):
        sets, n, digits = (
            int(rng.choice([2, 3, 5, 10])),
            int(rng.integers(5, 200)),
            int(rng.integers(3)),
        )
        right = np.clip(rng.uniform(0.3, 1) + rng.normal(0, 0.1, sets), 0, 1)
        x = rng.binomial(n, right) / n
        cells = [rounded(value, digits, mode) for value in (x.mean(), x.std(ddof=rng.integers(2)))]
        assert spread_fits(share(*cells, 0.5 * 10.0**-digits), n, sets), (cells, n, sets)
