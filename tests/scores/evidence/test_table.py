"""The evidence of a table: what seeds add is measured on all entries, and is the same wherever it is shown."""

from dataclasses import replace

import numpy as np
import pytest

from tonegap.scores.evidence.entries import EvidenceRequest, entry_evidence
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.evidence.table import pooled_evidence, shown_intervals, table_evidence
from tonegap.scores.tables import ALL, GAP, WORST

TONES = ("I", "VI")
ASKED = EvidenceRequest((), TONES, "accuracy", everything=False)
N_DRAWS = 400


def said(right):
    """Answers that are right for those images, of tones by turns."""
    right = np.asarray(right, dtype=bool)
    p = np.where(right, 0.9, 0.1)
    n = len(right)
    return TestAnswers(
        ids=tuple(map(str, range(n))),
        labels=("a",) * n,
        tones=tuple(TONES[i % 2] for i in range(n)),
        units=tuple(range(n)),
        classes=("a", "b"),
        p=np.column_stack((p, 1 - p)),
        epoch=1,
        threshold=None,
    )


def seeds_of(shares, n=200, offset=0):
    """One seed for each share: right for that share of each tone's images, the first ones."""
    rank = (np.arange(n) // 2 + offset) % (n // 2)
    return [said(rank < share * n / 2) for share in shares]


@pytest.fixture(scope="module")
def table():
    entries = {
        "wide": seeds_of((0.70, 0.90)),
        "narrow": seeds_of((0.80, 0.80)),
        "once": seeds_of((0.85,)),
    }
    return pooled_evidence(entries, ASKED, N_DRAWS), entries


def test_the_spread_over_seeds_is_pooled_and_that_of_each_entry_with_two(table):
    (found, seeds), _ = table
    # 0.70 and 0.90: variance 0.02. They differ on 20 of 100 images of each tone: 40 of 200 by 1, so each seed's
    # distance from their mean, 0.5 on a fifth of the images, varies by (0.25 x 0.2 - 0.01) / 200 = 0.0002 in draws;
    # twice that, 0.0004, is explained. The other entry's seeds are the same: (0.0196 + 0) / 2 = 0.0098.
    assert seeds.n_entries == 2
    assert found["wide"].seed_spread["accuracy", ALL] == pytest.approx(np.sqrt(0.0098), rel=0.02)
    assert found["narrow"].seed_spread == found["wide"].seed_spread
    assert found["once"].seed_spread["accuracy", ALL] is None


def test_seeds_make_the_interval_of_the_method_wider_than_that_of_its_networks(table):
    (found, _), _ = table
    for tone in (ALL, "I", "VI", WORST):
        of_method, of_networks = (
            of["accuracy", tone]
            for of in (found["narrow"].intervals, found["narrow"].network_intervals)
        )
        assert of_method.low < of_networks.low - 0.05, tone
        assert of_method.high > of_networks.high + 0.02, tone


def test_one_trained_once_borrows_nothing(table):
    (found, _), _ = table
    assert {i.low for i in found["once"].intervals.values()} == {None}
    assert found["once"].network_intervals["accuracy", ALL].low == pytest.approx(0.794, abs=0.01)


def test_an_entrys_page_shows_the_intervals_of_its_table(table):
    (found, seeds), entries = table
    for name, answers in entries.items():
        assert shown_intervals(answers, ASKED, seeds, N_DRAWS) == found[name].shown


def test_a_tables_evidence_has_the_other_metrics_as_if_they_were_asked_for(table):
    _, entries = table
    one = {name: entries[name] for name in ("narrow", "once")}
    few, every = (
        table_evidence(one, replace(ASKED, everything=everything, compared=True), N_DRAWS)
        for everything in (False, True)
    )
    for name in one:
        assert ("ece", ALL) not in few[name].shown
        # Every image is of one class: nothing stands behind a mean over two, though F1 has a value.
        assert every[name].shown["macro_f1", GAP].low is None
        assert few[name].every_shown() == every[name].shown == every[name].every_shown()


def test_a_gap_over_seeds_is_that_of_the_means():
    # Tone I right for 0.9 and 0.6, VI for 0.6 and 0.9 of the images: each seed's gap is 0.3, that of the means 0.
    rank, tone = np.arange(200) // 2, np.arange(200) % 2
    seeds = [said(rank < np.where(tone == best, 90, 60)) for best in (0, 1)]
    found = table_evidence({0: seeds}, ASKED, N_DRAWS)[0]
    assert found.drawn.point[GAP] == pytest.approx(0.0)
    assert found.drawn.point[WORST] == pytest.approx(0.75)
    assert found.network_intervals["accuracy", GAP].low == 0.0


def test_few_seeds_widen_the_worst_tone_as_they_widen_each_tone(table):
    # Two degrees of freedom: Student's t is 4.3. An interval of the worst of two tones that are alike cannot be much
    # narrower than that of one.
    (found, _), _ = table
    tone, worst = (found["narrow"].intervals["accuracy", name] for name in ("I", WORST))
    assert worst.high - worst.low > 0.8 * (tone.high - tone.low)


@pytest.mark.parametrize("n_seeds", [1, 3])
def test_the_gap_of_balanced_accuracy_is_held_though_a_tone_has_six_positives(n_seeds):
    # Six of six positives have no noise of their own: with that of 45 negatives alone 81 % of gaps of 0 would be held.
    tones, negatives, positives = ("I-II", "III-IV", "V-VI"), (45, 52, 35), (6, 10, 6)
    asked = EvidenceRequest(("b",), tones, "balanced_accuracy", everything=False, nulls=False)
    y = np.concatenate([np.repeat([0, 1], n) for n in zip(negatives, positives, strict=True)])
    tone = np.repeat(tones, np.add(negatives, positives)).tolist()
    rng, held = np.random.default_rng(1), 0
    for number in range(60):
        # A seed repeats what the first said of nine images in ten.
        first = rng.random(len(y))
        seeds = []
        for _ in range(n_seeds):
            luck = np.where(rng.random(len(y)) < 0.9, first, rng.random(len(y)))
            right = luck < np.where(y == 1, 0.92, 0.97)
            p = np.where(right == (y == 1), 0.9, 0.1)
            ids = tuple(f"{number}-{i}" for i in range(len(y)))
            labels, units = tuple("ab"[c] for c in y), tuple(range(len(y)))
            said = np.column_stack((1 - p, p))
            seeds.append(TestAnswers(ids, labels, tuple(tone), units, ("a", "b"), said, 1, None))
        found = entry_evidence(seeds, asked, 300).network_intervals["balanced_accuracy", GAP]
        held += found.low <= 0
    assert held >= 54  # of 58 expected; of 49 where six of six have no noise
