"""Predictions of one epoch into what is counted for each tone; every metric follows from that.

fairlearn's MetricFrame splits the images by tone. It is asked for one object per tone instead of
one number per metric: each metric costs it tens of milliseconds, and its own 0.0 and NaN for tones
without positives look like results.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tonegap.arrays import BoolArray, FloatArray, IntArray
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ALL

N_BINS = 15
# MetricFrame refuses missing tones. These images count in `all`, and in no tone.
_UNKNOWN = "unknown"


@dataclass(frozen=True, eq=False)
class ToneCounts:
    """What is counted over the images of one tone (or of all).

    With k classes and m events:

    - `tone`: its name
    - `confusion` [k, k]: images by true class (row) and most probable class (column)
    - `events` [m, 2, 2]: images by being positive (row) and being predicted positive (column)
    - `auc` [m]: area under the ROC curve; NaN without a positive or without a negative
    - `bins` [2, 15]: summed confidence, and number of correct images, by bin of the confidence
    """

    tone: str
    confusion: IntArray
    events: IntArray
    auc: FloatArray
    bins: FloatArray

    @property
    def n(self) -> int:
        """Number of images."""
        return int(self.confusion.sum())


@dataclass(frozen=True, eq=False)
class _Decisions:
    """What is known of each image: classes [n], confidence [n]; per event [n, m]."""

    n_classes: int
    y: IntArray
    predicted: IntArray
    confidence: FloatArray
    positive: BoolArray
    called: BoolArray
    score: FloatArray


def count_by_tone(
    p: FloatArray, y: IntArray, tones: Sequence[str | None], rules: ScoringRules
) -> dict[str, ToneCounts]:
    """Counts of `all` images and of each tone among them.

    `p` is [n, k], `y` [n] indexes classes; an image of unknown tone counts in `all` only. The first
    class wins where probabilities tie.
    """
    if not len(y):
        return {}
    decisions = _decide(p, y, rules)

    def count(_labels: IntArray, rows: IntArray) -> ToneCounts:
        return _count(decisions, rows)

    # A second to import, which planning a run that has nothing to do need not wait for.
    from fairlearn.metrics import MetricFrame

    frame = MetricFrame(
        metrics={"counts": count},
        y_true=y,
        y_pred=np.arange(len(y)),  # fairlearn hands each tone's part back: the rows of its images
        # A list: of an array of one image fairlearn makes a number, and refuses it.
        sensitive_features=[_UNKNOWN if t is None else t for t in tones],
    )
    found = {ALL: frame.overall["counts"], **frame.by_group["counts"]}
    return {tone: replace(c, tone=tone) for tone, c in found.items() if tone != _UNKNOWN}


def no_counts(tone: str, rules: ScoringRules) -> ToneCounts:
    """Counts of a tone without images."""
    k, m = len(rules.classes), len(rules.events)
    return ToneCounts(
        tone=tone,
        confusion=np.zeros((k, k), dtype=np.int64),
        events=np.zeros((m, 2, 2), dtype=np.int64),
        auc=np.full(m, np.nan),
        bins=np.zeros((2, N_BINS)),
    )


def truth_counts(tone: str, y: IntArray, rules: ScoringRules) -> ToneCounts:
    """Counts of a tone's images [n] as if each were recognised: what a formula divides by is known before training."""
    positive = event_truth(y, rules)
    confusion = np.diag(np.bincount(y, minlength=len(rules.classes)))
    return replace(
        no_counts(tone, rules), confusion=confusion, events=_two_by_two(positive, positive)
    )


def event_truth(y: IntArray, rules: ScoringRules) -> BoolArray:
    """Whether each image is positive, [n, m]."""
    return np.stack([np.isin(y, event.members) for event in rules.events], axis=-1)


def event_scores(p: FloatArray, rules: ScoringRules) -> FloatArray:
    """Probability of each event: `p` [..., k] into [..., m]."""
    sums = [p[..., list(event.members)].sum(axis=-1) for event in rules.events]
    # Rows sum to 1 only within a tolerance, and a threshold found among these must stay one.
    scores: FloatArray = np.minimum(np.stack(sums, axis=-1), 1.0)
    return scores


def roc_auc(score: FloatArray, positive: BoolArray) -> float:
    """Share of (positive, negative) pairs in which the positive scores higher; a tie counts half.

    NaN without a positive or without a negative. Source: the Mann-Whitney form of the area under
    the ROC curve, Hanley and McNeil 1982.
    """
    positives = np.sort(score[positive])
    negatives = np.sort(score[~positive])
    n_pairs = positives.size * negatives.size
    if not n_pairs:
        return float("nan")
    below = np.searchsorted(negatives, positives, side="left").sum()
    not_above = np.searchsorted(negatives, positives, side="right").sum()
    return float(below + not_above) / (2 * n_pairs)


def _decide(p: FloatArray, y: IntArray, rules: ScoringRules) -> _Decisions:
    predicted = p.argmax(axis=1)
    score = event_scores(p, rules)
    called = _called_positive(predicted, score, rules)
    return _Decisions(p.shape[1], y, predicted, p.max(axis=1), event_truth(y, rules), called, score)


def _called_positive(predicted: IntArray, score: FloatArray, rules: ScoringRules) -> BoolArray:
    if rules.threshold is None:
        return event_truth(predicted, rules)
    return score >= rules.threshold


def _count(d: _Decisions, rows: IntArray) -> ToneCounts:
    positive, score = d.positive[rows], d.score[rows]
    y, predicted = d.y[rows], d.predicted[rows]
    cells = np.bincount(y * d.n_classes + predicted, minlength=d.n_classes**2)
    return ToneCounts(
        tone="",
        confusion=cells.reshape(d.n_classes, d.n_classes),
        events=_two_by_two(positive, d.called[rows]),
        auc=np.array([roc_auc(score[:, j], positive[:, j]) for j in range(score.shape[1])]),
        bins=_confidence_bins(d.confidence[rows], y == predicted),
    )


def _two_by_two(positive: BoolArray, called: BoolArray) -> IntArray:
    true_positives = (positive & called).sum(axis=0)
    missed = positive.sum(axis=0) - true_positives
    false_alarms = called.sum(axis=0) - true_positives
    rest = len(positive) - true_positives - missed - false_alarms
    cells = np.stack([rest, false_alarms, missed, true_positives], axis=-1)
    return cells.reshape(-1, 2, 2)


def _confidence_bins(confidence: FloatArray, correct: BoolArray) -> FloatArray:
    # Bin m holds ((m - 1) / 15, m / 15], as in Guo et al. 2017.
    inner_edges = np.arange(1, N_BINS) / N_BINS
    bins = np.digitize(confidence, inner_edges, right=True)
    return np.stack([np.bincount(bins, weights=w, minlength=N_BINS) for w in (confidence, correct)])
