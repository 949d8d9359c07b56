"""Entries told apart, or not."""

import numpy as np
import pytest

from tonegap.scores.evidence.comparing import (
    Errors,
    Noise,
    SeedNoise,
    compare_entries,
    compare_networks,
    holm_steps,
    paired,
)
from tonegap.scores.evidence.entries import EvidenceRequest, entry_evidence
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.evidence.parity import minimum_detectable_difference
from tonegap.scores.evidence.table import table_evidence
from tonegap.scores.tables import ALL, GAP, WORST

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


ASKED = EvidenceRequest((), TONES, "accuracy")


def noise(n=1000, seeds=0.0, df=10.0, between=None):
    """Noise of one score beside its draws."""
    parts = (seeds, seeds if between is None else between, df)
    return Noise(np.array([float(n)]), SeedNoise(*(np.array([part]) for part in parts)))


def test_holm_multiplies_the_smallest_most_and_never_falls():
    # 0.01 x 3 = 0.03; 0.02 x 2 = 0.04; 0.03 x 1 = 0.03, which may not be below the one before: 0.04 = 0.03 x 4/3.
    p, times = holm_steps(np.array([0.03, 0.01, 0.02]))
    assert p == pytest.approx([0.04, 0.03, 0.04])
    assert times == pytest.approx([4 / 3, 3, 2])
    p, times = holm_steps(np.array([0.9, 0.8]))
    assert p.tolist() == [1, 1]
    assert times == pytest.approx([1.6 / 0.9, 2])


def test_a_difference_is_read_against_the_noise_both_share():
    rng = np.random.default_rng(0)
    common = rng.normal(0, 0.05, 4000)
    a, b = 0.80 + common + rng.normal(0, 0.005, 4000), 0.77 + common + rng.normal(0, 0.005, 4000)
    found = paired(0.03, a - b, noise(), noise())
    assert found is not None
    assert found.p < 0.001
    assert found.low == pytest.approx(0.03 - 1.96 * 0.00707, abs=0.001)


def test_five_and_five_images_without_a_difference_are_no_certainty():
    # One image more on each side: variance 1 / 7 squared; Student's t with 4 degrees at 97.5 % is 2.776.
    found = paired(0.0, np.zeros(50), noise(5), noise(5))
    assert found is not None
    assert (found.low, found.high) == pytest.approx((-2.776 / 7, 2.776 / 7), abs=1e-3)
    assert found.p == 1.0


def test_an_interval_of_a_difference_does_not_go_beyond_what_it_can_be():
    draws = np.random.default_rng(0).normal(0, 0.3, 2000)
    found = paired(0.9, draws, noise(20), noise(20), largest=1.0)
    assert found.high == 1.0
    assert found.low == pytest.approx(0.9 - 2.093 * 0.3 * np.sqrt(20 / 19), abs=0.02)


def test_draws_that_are_undefined_make_a_comparison_undefined():
    draws = np.full(100, 0.5)
    draws[:10] = np.nan
    assert paired(0.0, draws, noise(), noise()) is None


def test_few_images_and_few_seeds_make_more_noise():
    # Draws of variance 0.0004 from 5 units: 0.0005. Seeds: 0.0003 and 0.0002. Together 0.001.
    # Satterthwaite: 0.001^2 / (0.0005^2 / 4 + 0.0005^2 / 6) = 9.6; Student's t with 9.6 degrees: 2.2414.
    found = paired(0.1, np.array([-0.02, 0.02] * 50), noise(5, 0.0003, 6.0), noise(8, 0.0002, 6.0))
    # But no variance is below that of one image more on each side: 1 / 49 for 5.
    assert found.error**2 == pytest.approx(1 / 49 + 0.0005)
    found = paired(0.1, np.array([-0.2, 0.2] * 50), noise(5, 0.03, 6.0), noise(8, 0.02, 6.0))
    assert found.error**2 == pytest.approx(0.05 + 0.05)
    assert found.df == pytest.approx(0.1**2 / (0.05**2 / 4 + 0.05**2 / 6))
    assert found.df == pytest.approx(9.6)
    assert found.high == pytest.approx(0.1 + 2.2414 * np.sqrt(0.1), abs=1e-3)


def test_seeds_that_differ_no_more_than_draws_explain_are_still_not_known_well():
    # 0.05^2 / (0.05^2 / 4 + 0.03^2 / 3) = 2.7027.
    found = paired(
        0.1, np.array([-0.2, 0.2] * 50), noise(5, 0.0, 3.0, 0.01), noise(8, 0.0, 3.0, 0.02)
    )
    assert found.error**2 == pytest.approx(0.05)
    assert found.df == pytest.approx(2.7027, abs=1e-4)


@pytest.mark.parametrize("difference", np.linspace(0.001, 0.12, 40))
def test_an_interval_leaves_0_out_just_where_p_is_below_5_percent(difference):
    skewed = np.random.default_rng(0).exponential(0.03, 2000)
    found = paired(difference, skewed, noise(40, 0.0002, 3.0), noise(40, 0.0002, 3.0))
    assert (found.p < 0.05) == (found.low > 0)


def test_corrected_for_many_the_interval_still_agrees_with_its_p():
    rng = np.random.default_rng(1)
    errors = Errors(np.full(200, 0.01), np.full(200, 12.0))
    difference = rng.normal(0.02, 0.03, 200)
    p, times = holm_steps(errors.p(difference))
    told = np.abs(difference) > errors.reach(times)
    assert told.tolist() == (p < 0.05).tolist()
    assert 5 < told.sum() < 150


def test_a_better_entry_is_told_from_a_worse_one_on_the_same_images():
    good = [said((0.95, 0.95, 0.95), seed) for seed in (1, 2, 3)]
    poor = [said((0.95, 0.9, 0.6), seed) for seed in (4, 5, 6)]
    good, poor = table_evidence({"good": good, "poor": poor}, ASKED, 500).values()
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
        name: e.network_intervals["accuracy", ALL].high - e.network_intervals["accuracy", ALL].low
        for name, e in (("alone", alone), ("copied", copied))
    }
    assert width["copied"] > 1.5 * width["alone"]


def test_the_detectable_difference_is_2_8_standard_errors_of_the_noisiest_pair():
    assert minimum_detectable_difference(np.array([0.01, 0.03, 0.04]) ** 2) == pytest.approx(
        2.8 * 0.05
    )


def test_of_entries_trained_once_networks_are_compared_and_no_method():
    one, other = (entry_evidence([said((a, a, a), 1)], ASKED, 200) for a in (0.95, 0.5))
    assert compare_entries(one.drawn, other.drawn, ALL) is None
    found = compare_networks(one.drawn, other.drawn, ALL)
    assert found.low > 0.3
    assert {i.low for i in one.intervals.values()} == {None}
    assert one.intervals["accuracy", "VI"].reason.startswith("one training run: how another would")
    assert one.shown["accuracy", "VI"].low > 0.8
    assert set(one.seed_spread.values()) == {None}


def test_five_images_that_are_all_right_have_intervals_with_a_width():
    (entry,) = table_evidence(
        {0: [said((1, 1, 1), seed, n=15) for seed in (1, 2)]}, ASKED, 500
    ).values()
    for name, interval in entry.network_intervals.items():
        if name[0] == "accuracy" or name == ("auc", ALL):
            assert 0 <= interval.low < interval.high <= 1, name
    # Wilson's of 5 of 5: 5 / (5 + 1.96^2) = 0.566.
    assert entry.network_intervals["accuracy", "VI"].low == pytest.approx(0.566, abs=1e-3)
    assert entry.minimum_detectable_difference > 0.3
