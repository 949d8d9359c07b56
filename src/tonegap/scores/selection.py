"""Predictions of every epoch into the epoch, and the threshold, to report.

The mistake it exists to prevent: choosing on the test images without saying so. The same run
answers by each rule, and the rule is always named:

- `validation`: the best epoch on the validation images, and the threshold from them
- `last`: the last epoch, with the threshold from the validation images
- `test-oracle`: as many papers did, both from the test images; never ranked
"""

from dataclasses import dataclass

import numpy as np

from tonegap.arrays import FloatArray
from tonegap.errors import BadRequest
from tonegap.scores.counts import count_classes, event_scores, event_truth, roc_auc
from tonegap.scores.evidence.images import tone_indices
from tonegap.scores.formulas import accuracy, balanced_accuracy, worst
from tonegap.scores.predictions import Labelled
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ALL, SELECTION_METRICS
from tonegap.scores.undefined import Support, Undefined, shortage

SELECTION_RULES = ("validation", "last", "test-oracle")

# Recalls and areas are means of fractions: equal ones may differ in their last bits, and the first
# of equal epochs is to win.
_DIGITS = 12


@dataclass(frozen=True)
class Selection:
    """The index of an epoch (not its number), and the threshold of the event.

    `threshold` is None without an event, or where the images that choose it lack one of its sides.
    """

    epoch_index: int
    threshold: float | None


def select_by(
    rule: str, validation: Labelled, test: Labelled, metric: str, rules: ScoringRules
) -> Selection:
    """The selection of a named rule; both sets must hold the same epochs.

    Raises BadRequest for an unknown rule, and as `select`.
    """
    if validation.epochs != test.epochs:
        raise BadRequest("validation and test predictions do not have the same epochs")
    if rule == "validation":
        return select(validation, metric, rules)
    if rule == "test-oracle":
        return select(test, metric, rules)
    if rule == "last":
        last = len(validation.epochs) - 1
        return Selection(last, youden_threshold(validation, last, rules))
    raise BadRequest(f"selection rule {rule!r} is none of {', '.join(SELECTION_RULES)}")


def select(images: Labelled, metric: str, rules: ScoringRules) -> Selection:
    """The first epoch with the best value of the metric, and its threshold, on the same images.

    Raises BadRequest if the metric is unknown or undefined on these images: there is no fallback.
    """
    values = epoch_values(images, metric, rules)
    if isinstance(values, Undefined):
        raise BadRequest(f"cannot select an epoch by {metric}: {values.reason}")
    best = int(np.round(values, _DIGITS).argmax())
    return Selection(best, youden_threshold(images, best, rules))


def epoch_values(images: Labelled, metric: str, rules: ScoringRules) -> FloatArray | Undefined:
    """A selection metric for each epoch, [epochs].

    It is defined from one image on, whatever `min_support` asks of a reported score; whether it is
    depends on the labels and tones alone, so all epochs are defined or none is. The worst tone is
    that of the tones found among these images.
    """
    if metric not in SELECTION_METRICS:
        raise BadRequest(f"selection metric {metric!r} is none of {', '.join(SELECTION_METRICS)}")
    if metric == "auc":
        return _aucs(images, rules)
    predicted, k = images.p.argmax(axis=2), len(images.classes)
    if metric == "worst_tone_accuracy":
        tones = sorted({tone for tone in images.tones if tone})
        if not tones:
            return Undefined("no image has a known tone")
        slots = tone_indices(images.tones, tones)
        by_tone = accuracy(count_classes(images.y, predicted, slots, len(tones), k))
        return worst(by_tone, larger_is_better=True)
    counts = count_classes(images.y, predicted, np.zeros_like(images.y), 1, k)
    of_class = zip(images.classes, counts.true[0, 0].tolist(), strict=True)
    supports = [Support(ALL, "", len(images.y))]
    if metric == "balanced_accuracy":
        supports = [Support(ALL, name, int(n)) for name, n in of_class]
    lacking = shortage(supports, 1)
    if lacking:
        return lacking
    return (accuracy if metric == "accuracy" else balanced_accuracy)(counts)[:, 0]


def youden_threshold(images: Labelled, epoch_index: int, rules: ScoringRules) -> float | None:
    """The score of an image from which calling positive gives the largest J.

    J = sensitivity + specificity - 1; of equal ones the threshold nearest to 0.5 (the lower of
    two). None without an event, or without positive or negative images. Source: Youden 1950.
    """
    if not rules.positive:
        return None
    positive = event_truth(images.y, rules)[:, 0]
    score = event_scores(images.p[epoch_index], rules)[:, 0]
    n_positive = int(positive.sum())
    n_negative = len(positive) - n_positive
    if not (n_positive and n_negative):
        return None
    thresholds = np.unique(score)
    called = n_positive - np.searchsorted(np.sort(score[positive]), thresholds)
    alarms = n_negative - np.searchsorted(np.sort(score[~positive]), thresholds)
    # J times both counts: integers, so that equal ones are equal.
    j = called * n_negative - alarms * n_positive
    best = thresholds[j == j.max()]
    return float(best[np.abs(best - 0.5).argmin()])


def _aucs(images: Labelled, rules: ScoringRules) -> FloatArray | Undefined:
    positive = event_truth(images.y, rules)
    n_positive = positive.sum(axis=0)
    supports = [
        Support(ALL, name, int(n))
        for event, n_yes in zip(rules.events, n_positive, strict=True)
        for name, n in (
            (event.positive_name, n_yes),
            (event.negative_name, len(positive) - n_yes),
        )
    ]
    scores = event_scores(images.p, rules)
    return shortage(supports, 1) or np.array(
        [
            np.mean([roc_auc(score[:, j], positive[:, j]) for j in range(score.shape[1])])
            for score in scores
        ]
    )
