"""Metrics that each tone has by itself: formulas over its counts, and the images they need.

A formula is called only when everything it divides by reaches `min_support`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from tonegap.arrays import FloatArray
from tonegap.scores.counts import ToneCounts
from tonegap.scores.rules import ScoringRules
from tonegap.scores.undefined import Outcome, Support, Undefined, shortage

NO_EVENT = "no positive class is declared; pass --positive"


def any_images(c: ToneCounts, _rules: ScoringRules) -> list[Support]:
    """The tone's images."""
    return [Support(c.tone, "", c.n)]


def each_class(c: ToneCounts, rules: ScoringRules) -> list[Support]:
    """The tone's images of every class."""
    per_class = c.confusion.sum(axis=1)
    return [Support(c.tone, name, int(n)) for name, n in zip(rules.classes, per_class, strict=True)]


def positives(c: ToneCounts, rules: ScoringRules) -> list[Support]:
    """The tone's positive images, of every event."""
    n_positive = c.events[:, 1].sum(axis=-1)
    pairs = zip(rules.events, n_positive, strict=True)
    return [Support(c.tone, event.positive_name, int(n)) for event, n in pairs]


def negatives(c: ToneCounts, rules: ScoringRules) -> list[Support]:
    """The tone's negative images, of every event."""
    n_negative = c.events[:, 0].sum(axis=-1)
    pairs = zip(rules.events, n_negative, strict=True)
    return [Support(c.tone, event.negative_name, int(n)) for event, n in pairs]


def both_sides(c: ToneCounts, rules: ScoringRules) -> list[Support]:
    """The tone's positive and its negative images, of every event."""
    return positives(c, rules) + negatives(c, rules)


def accuracy(c: ToneCounts) -> float:
    """Correct images over images (micro)."""
    return float(np.trace(c.confusion) / c.n)


def recalls(c: ToneCounts) -> FloatArray:
    """Share of each class that is recognised, [k]."""
    shares: FloatArray = np.diag(c.confusion) / c.confusion.sum(axis=1)
    return shares


def balanced_accuracy(c: ToneCounts) -> float:
    """Mean recall over all classes. Source: scikit-learn's balanced_accuracy_score."""
    return float(recalls(c).mean())


def macro_f1(c: ToneCounts) -> float:
    """Mean over classes of 2TP / (2TP + FP + FN). Source: scikit-learn's f1_score, "macro"."""
    # 2TP + FP + FN is the images truly of the class plus the images predicted as it.
    true_plus_called = c.confusion.sum(axis=1) + c.confusion.sum(axis=0)
    return float((2 * np.diag(c.confusion) / true_plus_called).mean())


def auc(c: ToneCounts) -> float:
    """Area under the ROC curve of the event, or the mean over classes of one against the rest.

    Source: Hanley and McNeil 1982; the unweighted one-vs-rest mean is scikit-learn's
    roc_auc_score(multi_class="ovr", average="macro").
    """
    return float(c.auc.mean())


def ece(c: ToneCounts) -> float:
    """Expected calibration error of the most probable class, 15 equal bins.

    Source: Guo et al. 2017, arXiv 1706.04599: the mean over bins of
    |accuracy - confidence|, weighted by the images in the bin.
    """
    confidence, correct = c.bins
    return float(np.abs(correct - confidence).sum() / c.n)


def sensitivity(c: ToneCounts) -> float:
    """Positive images predicted positive, over positive images; the first event's."""
    return float(true_positive_rates(c)[0])


def specificity(c: ToneCounts) -> float:
    """Negative images predicted negative, over negative images; the first event's."""
    return float(c.events[0, 0, 0] / c.events[0, 0].sum())


def true_positive_rates(c: ToneCounts) -> FloatArray:
    """Sensitivity for each event, [m]."""
    rates: FloatArray = c.events[:, 1, 1] / c.events[:, 1].sum(axis=-1)
    return rates


def false_positive_rates(c: ToneCounts) -> FloatArray:
    """False positive rate of each event, [m]."""
    rates: FloatArray = c.events[:, 0, 1] / c.events[:, 0].sum(axis=-1)
    return rates


@dataclass(frozen=True)
class _PerTone:
    needs: Callable[[ToneCounts, ScoringRules], list[Support]]
    value: Callable[[ToneCounts], float]
    needs_event: bool = False


_METRICS = {
    "accuracy": _PerTone(any_images, accuracy),
    "balanced_accuracy": _PerTone(each_class, balanced_accuracy),
    "macro_f1": _PerTone(each_class, macro_f1),
    "auc": _PerTone(both_sides, auc),
    "ece": _PerTone(any_images, ece),
    "sensitivity": _PerTone(positives, sensitivity, needs_event=True),
    "specificity": _PerTone(negatives, specificity, needs_event=True),
}


def score_tone(metric: str, c: ToneCounts, rules: ScoringRules) -> Outcome:
    """A metric over one tone's counts; undefined below `min_support` or without an event."""
    return lacking(metric, c, rules) or _METRICS[metric].value(c)


def lacking(metric: str, c: ToneCounts, rules: ScoringRules) -> Undefined | None:
    """Why a metric cannot be had from one tone's counts, whatever is predicted; None where it can."""
    formula = _METRICS[metric]
    if formula.needs_event and not rules.positive:
        return Undefined(NO_EVENT)
    return shortage(formula.needs(c, rules), rules.min_support)
