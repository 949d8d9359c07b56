"""Entries told apart, or not."""

import numpy as np
import pytest

from tonegap.evidence.answers import TestAnswers
from tonegap.evidence.comparing import few_images, holm, paired
from tonegap.evidence.entries import Asked, compare_entries, entry_evidence
from tonegap.evidence.parity import detectable
from tonegap.score.tables import ALL, GAP, WORST

TONES = ("I", "III", "VI")


def said(accuracy, seed, n=300, units=None, ids_from=0):
    """Answers to two classes, right with the accuracy of each image's tone."""
    rng = np.random.default_rng(seed)
    tone = np.arange(n) % 3
    y = np.arange(n) // 3 % 2
    right = rng.random(n) < np.array(accuracy)[tone]
    sure = 0.55 + 0.4 * rng.random(n)
    predicted = np.where(right, y, 1 - y)
    p = np.where(np.eye(2)[predicted] > 0, sure[:, None], 1 - sure[:, None])
    return TestAnswers(
        ids=tuple(str(i + ids_from) for i in range(n)),
        labels=tuple("ab"[i] for i in y),
        tones=tuple(TONES[t] for t in tone),
        units=tuple(range(n)) if units is None else units,
        classes=("a", "b"),
        p=p,
        epoch=3,
        threshold=None,
    )


ASKED = Asked((), TONES, "accuracy")


def test_holm_multiplies_the_smallest_most_and_never_falls():
    # 0.01 x 3 = 0.03; 0.02 x 2 = 0.04; 0.03 x 1 = 0.03, which may not be below the one before.
    assert holm([0.03, 0.01, 0.02]) == (
        pytest.approx(0.04),
        pytest.approx(0.03),
        pytest.approx(0.04),
    )
    assert holm([0.9, 0.8]) == (1.0, 1.0)


def test_a_difference_is_read_against_the_noise_both_share():
    rng = np.random.default_rng(0)
    common = rng.normal(0, 0.05, 4000)
    a, b = 0.80 + common + rng.normal(0, 0.005, 4000), 0.77 + common + rng.normal(0, 0.005, 4000)
    found = paired(a, b, 0.03)
    assert found is not None
    assert found.p < 0.001
    assert found.low == pytest.approx(0.03 - 1.96 * 0.00707, abs=0.001)


def test_an_entry_compared_with_itself_does_not_differ():
    found = paired(np.linspace(0, 1, 50), np.linspace(0, 1, 50), 0.0)
    assert found is not None
    assert (found.difference, found.p) == (0.0, 1.0)


def test_draws_that_are_undefined_make_a_comparison_undefined():
    draws = np.full(100, 0.5)
    holes = draws.copy()
    holes[:10] = np.nan
    assert paired(draws, holes, 0.0) is None


def test_few_images_make_more_noise():
    # n = 42: the root of 42/41 times 2.0195 (Student, 41 degrees) over 1.9600 (normal).
    draws = few_images(np.array([0.5, 0.7, 0.9]), 42)
    assert draws.tolist() == pytest.approx(
        [0.7 - 0.2 * 1.04284, 0.7, 0.7 + 0.2 * 1.04284], abs=1e-4
    )


def test_a_better_entry_is_told_from_a_worse_one_on_the_same_images():
    good = entry_evidence([said((0.95, 0.95, 0.95), 1), said((0.95, 0.95, 0.95), 2)], ASKED, 500)
    poor = entry_evidence([said((0.95, 0.9, 0.6), 3), said((0.95, 0.9, 0.6), 4)], ASKED, 500)
    for score in (ALL, WORST, GAP):
        found = compare_entries(good.drawn, poor.drawn, score)
        assert found is not None
        assert found.p < 0.01, score
    gap = poor.intervals["accuracy", GAP]
    assert gap.low is not None
    assert gap.low > 0.15
    assert poor.parity is not None
    assert poor.parity.p < 0.01
    assert good.parity is not None
    assert good.parity.expected > 0.01  # noise alone makes a gap


def test_entries_on_other_images_are_not_compared():
    one = entry_evidence([said((0.9, 0.9, 0.9), 1)], ASKED, 50)
    other = entry_evidence([said((0.9, 0.9, 0.9), 1, ids_from=1000)], ASKED, 50)
    with pytest.raises(ValueError, match="different images"):
        compare_entries(one.drawn, other.drawn, ALL)


def test_copies_of_photographs_widen_an_interval():
    alone = entry_evidence([said((0.8, 0.8, 0.8), 1)], ASKED, 1000)
    # Three times the same 100 photographs: a third of the evidence.
    base = said((0.8, 0.8, 0.8), 1, n=99)
    tripled = TestAnswers(
        ids=tuple(str(i) for i in range(297)),
        labels=base.labels * 3,
        tones=base.tones * 3,
        units=tuple(range(99)) * 3,
        classes=base.classes,
        p=np.tile(base.p, (3, 1)),
        epoch=1,
        threshold=None,
    )
    copied = entry_evidence([tripled], ASKED, 1000)
    width = {
        name: e.intervals["accuracy", ALL].high - e.intervals["accuracy", ALL].low
        for name, e in (("alone", alone), ("copied", copied))
    }
    assert width["copied"] > 1.5 * width["alone"]


def test_the_detectable_difference_is_2_8_standard_errors_of_the_noisiest_pair():
    rng = np.random.default_rng(0)
    noise = rng.normal(0, (0.01, 0.03, 0.04), size=(20000, 3))
    assert detectable(noise) == pytest.approx(2.8 * 0.05, rel=0.03)
