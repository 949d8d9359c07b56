"""200 random prediction files, with missing classes and tones, against another computation.

The other computation is loops over lists of images; scikit-learn and fairlearn are asked directly
where they are defined.
"""

import csv
import functools
import math
from statistics import fmean

import numpy as np
import pytest
from fairlearn import metrics as fairlearn_metrics
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    f1_score,
    recall_score,
    roc_auc_score,
)

from tonegap.scores.metrics import score_table
from tonegap.scores.predictions import join, read_predictions
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ALL, GAP, METRICS, WORST
from tonegap.scores.truth import read_truth
from tonegap.tones import GROUPS, TYPES

N_FILES = 200


class Images:
    """One random test set: probabilities, true class, tone (some unknown), and the rules."""

    def __init__(self, seed):
        rng = np.random.default_rng([20240601, seed])
        self.k = int(rng.integers(2, 5))
        n = int(rng.integers(4, 90))
        axis = TYPES if rng.random() < 0.5 else GROUPS
        # Some classes and tones are left out, some are rare.
        classes = rng.permutation(self.k)[: max(1, self.k - int(rng.integers(0, 2)))]
        tones = [*axis[int(rng.integers(0, 2)) :], None]
        self.y = rng.choice(classes, n, p=rng.dirichlet(np.ones(len(classes)) * 2))
        weights = rng.dirichlet(np.ones(len(tones)))
        self.tones = [tones[i] for i in rng.choice(len(tones), n, p=weights)]
        # Few distinct values, so that scores tie; one class may never be predicted.
        counts = rng.integers(0, 6, (n, self.k)) + 3 * np.eye(self.k, dtype=int)[self.y]
        counts[:, 0] += counts.sum(axis=1) == 0
        if rng.random() < 0.3:
            counts[:, -1] = 0
            counts[:, 0] += counts.sum(axis=1) == 0
        self.p = counts / counts.sum(axis=1, keepdims=True)
        self.names = tuple(f"class {c}" for c in "abcd"[: self.k])
        with_event = self.k == 2 or rng.random() < 0.5
        self.positive = {1} if with_event else set()
        self.threshold = (
            float(rng.choice([0.2, 0.4])) if with_event and rng.random() < 0.5 else None
        )
        self.min_support = int(rng.choice([1, 1, 2, 5]))
        self.expected = tuple(axis) if rng.random() < 0.5 else None

    @property
    def rules(self):
        positive = tuple(self.names[i] for i in self.positive)
        return ScoringRules(self.names, positive, self.threshold, self.min_support, self.expected)

    @property
    def scored(self):
        if self.expected is not None:
            return list(self.expected)
        return [t for t in (*TYPES, *GROUPS) if t in self.tones]

    def rows(self, tone):
        return [i for i, t in enumerate(self.tones) if tone == ALL or t == tone]

    def write(self, folder):
        with (folder / "p.csv").open("w", newline="") as f:
            writer = csv.writer(f)
            writer.writerow(["image_id", *(f"p_{name}" for name in self.names)])
            writer.writerows(
                [f"{i:05d}", *map(repr, map(float, row))] for i, row in enumerate(self.p)
            )
        with (folder / "t.csv").open("w", newline="") as f:
            writer = csv.writer(f)
            writer.writerow(["image_id", "label", "tone"])
            rows = zip(self.y, self.tones, strict=True)
            # The truth in another order: the join is by id.
            table = [[f"{i:05d}", self.names[c], t or ""] for i, (c, t) in enumerate(rows)]
            writer.writerows(reversed(table))


def mean_or_none(values):
    return None if any(v is None for v in values) else fmean(values)


def ratio(number, of, least=1):
    return None if of < max(least, 1) else number / of


class Loops:
    """Every metric by loops over the images of a tone."""

    def __init__(self, images):
        self.x = images
        self.called = [max(range(images.k), key=lambda c: (row[c], -c)) for row in images.p]

    def events(self):
        return [self.x.positive] if self.x.positive else [{c} for c in range(self.x.k)]

    def is_called(self, i, event):
        if self.x.threshold is None:
            return self.called[i] in event
        return sum(self.x.p[i][c] for c in event) >= self.x.threshold

    def share(self, tone, among, which):
        rows = [i for i in self.x.rows(tone) if among(i)]
        return ratio(sum(map(which, rows)), len(rows), self.x.min_support)

    def anything(self, _):
        return True

    def is_class(self, c):
        return lambda i: self.x.y[i] == c

    def correct(self, i):
        return self.called[i] == self.x.y[i]

    def recall(self, tone, c):
        return self.share(tone, self.is_class(c), self.correct)

    def accuracy(self, tone):
        return self.share(tone, self.anything, self.correct)

    def balanced_accuracy(self, tone):
        return mean_or_none([self.recall(tone, c) for c in range(self.x.k)])

    def macro_f1(self, tone):
        if self.balanced_accuracy(tone) is None:
            return None
        rows, values = self.x.rows(tone), []
        for c in range(self.x.k):
            tp = sum(self.x.y[i] == c == self.called[i] for i in rows)
            fp = sum(self.x.y[i] != c == self.called[i] for i in rows)
            fn = sum(self.x.y[i] == c != self.called[i] for i in rows)
            values.append(2 * tp / (2 * tp + fp + fn))
        return fmean(values)

    def auc(self, tone):
        return mean_or_none([self.event_auc(tone, event) for event in self.events()])

    def event_auc(self, tone, event):
        rows = self.x.rows(tone)
        score = {i: sum(self.x.p[i][c] for c in event) for i in rows}
        yes = [score[i] for i in rows if self.x.y[i] in event]
        no = [score[i] for i in rows if self.x.y[i] not in event]
        if min(len(yes), len(no)) < self.x.min_support:
            return None
        return fmean((a > b) + (a == b) / 2 for a in yes for b in no)

    def ece(self, tone):
        rows = self.x.rows(tone)
        if len(rows) < self.x.min_support:
            return None
        total = 0.0
        for m in range(15):
            members = [i for i in rows if m / 15 < max(self.x.p[i]) <= (m + 1) / 15]
            total += abs(sum(map(self.correct, members)) - sum(max(self.x.p[i]) for i in members))
        return total / len(rows)

    def tpr(self, tone, event):
        among = lambda i: self.x.y[i] in event  # noqa: E731
        return self.share(tone, among, lambda i: self.is_called(i, event))

    def fpr(self, tone, event):
        among = lambda i: self.x.y[i] not in event  # noqa: E731
        return self.share(tone, among, lambda i: self.is_called(i, event))

    def sensitivity(self, tone):
        return self.tpr(tone, self.x.positive) if self.x.positive else None

    def specificity(self, tone):
        fpr = self.fpr(tone, self.x.positive) if self.x.positive else None
        return None if fpr is None else 1 - fpr

    def over_tones(self, value, combine):
        values = [value(tone) for tone in self.x.scored]
        if len(values) < 2 or any(v is None for v in values):
            return None
        return combine(values)

    def pqd(self):
        return self.over_tones(self.accuracy, low_over_high)

    def nar(self):
        if self.pqd() is None:
            return None
        return self.over_tones(self.accuracy, lambda v: (max(v) - min(v)) / fmean(v))

    def dpm(self):
        return mean_or_none([self.over_tones(self.rate(c), low_over_high) for c in range(self.x.k)])

    def rate(self, c):
        return lambda tone: self.share(tone, self.anything, lambda i: self.called[i] == c)

    def eom(self):
        per_class = [
            self.over_tones(lambda tone, c=c: self.recall(tone, c), low_over_high)
            for c in range(self.x.k)
        ]
        return mean_or_none(per_class)

    def difference(self, rate):
        return [
            self.over_tones(lambda tone, e=e: rate(tone, e), lambda v: max(v) - min(v))
            for e in self.events()
        ]

    def demographic_parity_difference(self):
        def rate(tone, event):
            return self.share(tone, self.anything, lambda i: self.is_called(i, event))

        return mean_or_none(self.difference(rate))

    def equal_opportunity_difference(self):
        return mean_or_none(self.difference(self.tpr))

    def equalized_odds_difference(self):
        pairs = list(zip(self.difference(self.tpr), self.difference(self.fpr), strict=True))
        return mean_or_none([None if None in pair else max(pair) for pair in pairs])


def low_over_high(values):
    return min(values) / max(values) if max(values) else None


def expected_scores(images):
    """(metric, tone) to value or None."""
    loops, expected = Loops(images), {}
    for metric in METRICS:
        value = functools.cache(getattr(loops, metric.name))
        if not metric.per_tone:
            expected[metric.name, ALL] = value()
            continue
        for tone in (*images.scored, ALL):
            expected[metric.name, tone] = value(tone)
        pick = min if metric.larger_is_better else max
        values = [value(tone) for tone in images.scored]
        defined = values and None not in values
        expected[metric.name, WORST] = pick(values) if defined else None
        expected[metric.name, GAP] = loops.over_tones(value, lambda v: max(v) - min(v))
    return expected


def test_200_random_files_agree_with_loops_and_never_turn_undefined_into_zero(tmp_path):
    n_undefined = n_zero = 0
    for seed in range(N_FILES):
        images = Images(seed)
        images.write(tmp_path)
        read = join(read_predictions(tmp_path / "p.csv"), read_truth(tmp_path / "t.csv"))
        table = score_table(read.p[0], read.y, read.tones, images.rules)
        expected = expected_scores(images)
        assert {(s.metric, s.tone) for s in table} == set(expected), seed
        for score in table:
            value = expected[score.metric, score.tone]
            if value is None:
                assert score.value is None, (seed, score)
                assert score.reason, (seed, score)
            else:
                assert score.value is not None, (seed, score, value)
                assert math.isclose(score.value, value, abs_tol=1e-12), (seed, score, value)
                assert score.reason is None, (seed, score)
            n_undefined += value is None
            n_zero += value == 0
    # The test means something only if both happen often.
    assert n_undefined > 1000
    assert n_zero > 100


@pytest.fixture(scope="module")
def full():
    """300 images of three classes in which every tone has every class."""
    rng = np.random.default_rng(7)
    y = np.arange(300) % 3
    p = rng.dirichlet(np.ones(3), 300) * 0.7 + 0.3 * np.eye(3)[y]
    tones = np.array(GROUPS)[rng.permutation(300) % 3]
    return p, y, tones


@pytest.mark.parametrize("tone", [*GROUPS, ALL])
def test_per_tone_metrics_equal_scikit_learns(full, tone):
    p, y, tones = full
    rows = np.ones(300, dtype=bool) if tone == ALL else tones == tone
    table = score_table(p, y, tones, ScoringRules(("a", "b", "c"), ("b",)))
    no_event = score_table(p, y, tones, ScoringRules(("a", "b", "c")))
    y, called, p = y[rows], p[rows].argmax(axis=1), p[rows]

    expected = {
        "accuracy": accuracy_score(y, called),
        "balanced_accuracy": balanced_accuracy_score(y, called),
        "macro_f1": f1_score(y, called, average="macro"),
        "auc": roc_auc_score(y == 1, p[:, 1]),
        "sensitivity": recall_score(y == 1, called == 1),
        "specificity": recall_score(y != 1, called != 1),
    }
    assert {m: table.score(m, tone).value for m in expected} == pytest.approx(expected, abs=1e-12)
    macro = roc_auc_score(y, p, multi_class="ovr", average="macro")
    assert no_event.score("auc", tone).value == pytest.approx(macro, abs=1e-12)


DIFFERENCES = [
    "demographic_parity_difference",
    "equal_opportunity_difference",
    "equalized_odds_difference",
]


@pytest.mark.parametrize("threshold", [None, 0.5])
@pytest.mark.parametrize("name", DIFFERENCES)
def test_differences_of_an_event_equal_fairlearns(full, name, threshold):
    p, y, tones = full
    called = p.argmax(axis=1) == 1 if threshold is None else p[:, 1] >= threshold
    table = score_table(p, y, tones, ScoringRules(("a", "b", "c"), ("b",), threshold))

    theirs = getattr(fairlearn_metrics, name)(y == 1, called, sensitive_features=tones)

    assert theirs > 0.01
    assert table.score(name, ALL).value == pytest.approx(theirs, abs=1e-12)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_differences_without_an_event_are_the_mean_of_fairlearns_over_classes(full, name):
    p, y, tones = full
    called = p.argmax(axis=1)
    table = score_table(p, y, tones, ScoringRules(("a", "b", "c")))

    function = getattr(fairlearn_metrics, name)
    theirs = fmean(function(y == c, called == c, sensitive_features=tones) for c in range(3))

    assert table.score(name, ALL).value == pytest.approx(theirs, abs=1e-12)
