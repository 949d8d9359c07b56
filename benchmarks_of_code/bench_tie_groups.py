"""How often equal entries differ significantly: `python benchmarks_of_code/bench_tie_groups.py [DRAWS]`.

500 test sets are drawn for entries that are equal by construction, of the size of DDI's and of
Fitzpatrick17k's test split; an image that is hard for one entry is hard for the others too, and training seeds
differ in nothing. Wanted: two share a band in 95 % or more, ten do, none of nine differs from the tenth in 95 %
(Holm), and with tones dealt anew p is below 5 % in 5 %.
"""

import sys

import numpy as np

from tonegap.scores.evidence.bootstrap import draw_weights
from tonegap.scores.evidence.comparing import (
    ALPHA,
    Noise,
    ResampledScores,
    SeedNoise,
    compare_entries,
    holm_steps,
)
from tonegap.scores.evidence.entries import N_DRAWS, EvidenceRequest, entry_evidence
from tonegap.scores.evidence.images import TestAnswers, TestImages
from tonegap.scores.evidence.tie_groups import tie_groups
from tonegap.scores.tables import ALL, GAP, WORST

SIZES = {"DDI": (42, 48, 41), "Fitzpatrick17k": (589, 962, 662, 556, 307, 127)}
TONES = {3: ("I-II", "III-IV", "V-VI"), 6: ("I", "II", "III", "IV", "V", "VI")}
TRUTHS = {
    "DDI": {"tones alike": (0.82,) * 3, "one tone worse": (0.88, 0.73, 0.85)},
    "Fitzpatrick17k": {
        "tones alike": (0.80,) * 6,
        "one tone worse": (0.84, 0.83, 0.80, 0.79, 0.78, 0.70),
    },
}
N_ENTRIES = 10
_SAME_MIND = 4.0  # a and b of an image's own accuracy add up to this: the smaller, the more alike


class Setting:
    """A test set's tones [n], and draws of its images [draws, n]."""

    def __init__(self, n, truth):
        self.names = TONES[len(n)]
        self.tone = np.repeat(np.arange(len(n)), n)
        self.accuracy = np.array(truth)[self.tone]
        self.ids = tuple(map(str, range(len(self.tone))))
        units = np.arange(len(self.tone))
        self.images = TestImages(self.ids, 0 * units, self.tone, units, self.names)
        self.weights = draw_weights((self.images,), N_DRAWS)[0]

    def equal_entries(self, n_entries, rng):
        """Which images each entry is right for, [entries, n]: the same chance, which differs by image."""
        easy = rng.beta(_SAME_MIND * self.accuracy, _SAME_MIND * (1 - self.accuracy))
        return rng.random((n_entries, len(easy))) < easy

    def answers(self, right, tone=None):
        """The answers of an entry, with the tones of the images or others."""
        tone = self.tone if tone is None else tone
        p = np.where(right, 0.9, 0.1)
        return TestAnswers(
            ids=self.ids,
            labels=("a",) * len(right),
            tones=tuple(self.names[t] for t in tone),
            units=tuple(range(len(right))),
            classes=("a", "b"),
            p=np.column_stack((p, 1 - p)),
            epoch=1,
            threshold=None,
        )

    def evidence(self, answers):
        """What the suite says of one entry."""
        return entry_evidence(
            [answers], EvidenceRequest((), self.names, "accuracy", everything=False)
        )

    def drawn(self, right):
        """The same draws as in `evidence`, which makes much else, for accuracies alone."""
        members = [self.tone == t for t in range(len(self.names))]
        point = np.array([right[m].mean() for m in members])
        draws = np.stack([self.weights[:, m] @ right[m] / m.sum() for m in members], axis=1)
        fewest, every = min(m.sum() for m in members), len(right)
        nothing = SeedNoise(np.zeros(1), np.zeros(1), np.ones(1))
        beside = {name: Noise(np.array([float(fewest)]), nothing) for name in (WORST, GAP)}
        return ResampledScores(
            {ALL: float(right.mean()), WORST: float(point.min()), GAP: float(np.ptp(point))},
            {
                ALL: self.weights @ right / every,
                WORST: draws.min(axis=1),
                GAP: np.ptp(draws, axis=1),
            },
            (self.images.digest,),
            beside | {ALL: Noise(np.array([float(every)]), nothing)},
        )

    def check(self, rng):
        """Nothing, if the short way gives what the suite gives."""
        (right,) = self.equal_entries(1, rng)
        short, full = self.drawn(right), self.evidence(self.answers(right)).drawn
        for score in (ALL, WORST, GAP):
            np.testing.assert_allclose(short.draws[score], full.draws[score])


def n_tie_groups(entries, score):
    """How many bands the entries fall into, ranked as a leaderboard ranks them."""
    return max(tie_groups(sorted(entries, key=lambda e: -e.point[score]), score))


def told_apart(at, rng):
    """What was found different in one test set of equal entries."""
    entries = [at.drawn(right) for right in at.equal_entries(N_ENTRIES, rng)]
    found = {}
    for score in (WORST, ALL, GAP):
        p = [compare_entries(e, entries[0], score).p for e in entries[1:]]
        found[score, "9 against a tenth, Holm"] = holm_steps(np.array(p))[0].min() < ALPHA
    for score in (WORST, ALL):
        found[score, "bands of 2"] = n_tie_groups(entries[:2], score) > 1
        found[score, "bands of 10"] = n_tie_groups(entries, score) > 1
    return found


def dealt(at, rng):
    """p of the gap where tones are dealt at random, and whether its interval leaves 0 out."""
    (right,) = at.equal_entries(1, rng)
    found = at.evidence(at.answers(right, rng.permutation(at.tone)))
    return found.parity.p, found.shown["accuracy", GAP].low > 0


def main(n_sets):
    rng = np.random.default_rng(0)
    for name, truths in TRUTHS.items():
        for about, truth in truths.items():
            at = Setting(SIZES[name], truth)
            at.check(rng)
            found = [told_apart(at, rng) for _ in range(n_sets)]
            for score, what in found[0]:
                share = np.mean([f[score, what] for f in found])
                say(f"{name:15} {about:15} {score:6} {what:24} told apart in {share:6.1%}")
        p, leaves_out = zip(*(dealt(at, rng) for _ in range(n_sets)), strict=True)
        say(
            f"{name:15} tones dealt: p < 5 % in {np.mean(np.array(p) < ALPHA):.1%}, mean p "
            f"{np.mean(p):.2f}; a gap's interval without 0 in {np.mean(leaves_out):.1%}"
        )


def say(line):
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
