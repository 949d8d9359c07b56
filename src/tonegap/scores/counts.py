"""Predictions into what is counted of each tone; every metric is a formula over that (`formulas`).

Counts have a leading axis of draws: one for the scores of a record, thousands for resampled images. Everything but
the area under the ROC curve is a sum over images, so the counts of all draws are one sparse product.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from tonegap.arrays import BoolArray, FloatArray, IntArray
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import N_BINS

_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


@dataclass(frozen=True, eq=False)
class Answers:
    """What one entry said of each image.

    With k classes and m events: `predicted` [n], `confidence` [n] of it, and for each event whether
    the image is positive, is predicted positive, and with which probability, [n, m].
    """

    n_classes: int
    predicted: IntArray
    confidence: FloatArray
    positive: BoolArray
    called: BoolArray
    score: FloatArray

    @property
    def bins(self) -> IntArray:
        """The bin of each confidence, [n]: bin m of N holds ((m - 1) / N, m / N], as in Guo et al. 2017."""
        return np.digitize(self.confidence, np.arange(1, N_BINS) / N_BINS, right=True)

    def among(self, rows: IntArray) -> "Answers":
        """What was said of some of the images."""
        p, c = self.predicted[rows], self.confidence[rows]
        events = self.positive[rows], self.called[rows], self.score[rows]
        return Answers(self.n_classes, p, c, *events)


@dataclass(frozen=True, eq=False)
class Counts:
    """Counts by draw and slot: each tone, then all images. k classes, m events, b bins.

    `true`, `called`, `right` [draws, slots, k]: images of the class, predicted as it, and both.
    `events` [draws, slots, m, 2, 2]: images by being positive and by being predicted positive.
    `bins` [draws, slots, 2, b]: summed confidence and number of correct images.
    `auc` [draws, slots, m]: NaN where a side is missing.
    """

    true: FloatArray
    called: FloatArray
    right: FloatArray
    events: FloatArray
    bins: FloatArray
    auc: FloatArray

    @cached_property
    def n(self) -> FloatArray:
        """Images, [draws, slots]."""
        n: FloatArray = self.true.sum(axis=-1)
        return n

    @cached_property
    def rates(self) -> FloatArray:
        """False and true positive rate of each event, [draws, slots, m, 2]; NaN where a side is missing."""
        rates: FloatArray = self.events[..., 1] / self.events.sum(axis=-1)
        return rates

    @property
    def distances(self) -> FloatArray:
        """Correct images minus summed confidence of each bin, [draws, slots, b]."""
        distances: FloatArray = self.bins[..., 1, :] - self.bins[..., 0, :]
        return distances


def event_truth(y: IntArray, rules: ScoringRules) -> BoolArray:
    """Whether each image is positive, [n, m]."""
    return np.stack([np.isin(y, event.members) for event in rules.events], axis=-1)


def event_scores(p: FloatArray, rules: ScoringRules) -> FloatArray:
    """Probability of each event: `p` [..., k] into [..., m]."""
    sums = [p[..., list(event.members)].sum(axis=-1) for event in rules.events]
    # Rows sum to 1 only within a tolerance, and a threshold found among these must stay one.
    scores: FloatArray = np.minimum(np.stack(sums, axis=-1), 1.0)
    return scores


def answers(p: FloatArray, y: IntArray, rules: ScoringRules) -> Answers:
    """An entry's answers from its probabilities `p` [n, k]; the first class wins a tie."""
    predicted = p.argmax(axis=1)
    score = event_scores(p, rules)
    called = event_truth(predicted, rules)
    if rules.threshold is not None:
        called = score >= rules.threshold
    return Answers(p.shape[1], predicted, p.max(axis=1), event_truth(y, rules), called, score)


def count_once(
    y: IntArray, tone: IntArray, n_tones: int, said: Answers, with_auc: bool = True
) -> Counts:
    """The counts of one draw that has every image once; `tone` [n] numbers tones, -1 is unknown and counts in all."""
    columns, values, width = _counted(y, said)
    known = np.flatnonzero(tone >= 0)
    # All images are summed in their own order, not tone by tone: the same images give the same last digits.
    rows = np.concatenate((known, np.arange(len(y))))
    slots = np.concatenate((tone[known], np.full(len(y), n_tones)))
    at = columns[rows] + (slots * width)[:, None]
    sums = np.bincount(at.ravel(), values[rows].ravel(), (n_tones + 1) * width).astype(np.float64)
    areas = _areas(tone, n_tones, said, None, with_auc)
    return _as_counts(sums.reshape(1, n_tones + 1, width), said, areas)


def count_draws(
    y: IntArray,
    tone: IntArray,
    n_tones: int,
    said: Answers,
    weights: FloatArray,
    with_auc: bool = True,
) -> Counts:
    """The counts of draws in which images count `weights` [draws, n] times; `tone` as in `count_once`.

    The areas cost most by far; without them `auc` is all NaN.
    """
    from scipy.sparse import csr_matrix  # not needed where each image counts once

    columns, values, width = _counted(y, said)
    slots, n_slots = np.where(tone < 0, n_tones, tone), n_tones + 1
    at = columns + (slots * width)[:, None]
    rows = np.repeat(np.arange(len(y)), columns.shape[1])
    matrix = csr_matrix((values.ravel(), (rows, at.ravel())), shape=(len(y), n_slots * width))
    by_image = np.ascontiguousarray(weights.T)
    # Draws stay next to each other in memory: every sum over slots or classes then runs along them.
    sums = (matrix.T @ by_image).T.reshape(len(weights), n_slots, width)
    # The last slot held images of unknown tone; now it holds all.
    sums[:, -1] = sums.sum(axis=1)
    return _as_counts(sums, said, _areas(tone, n_tones, said, by_image, with_auc))


def count_classes(
    y: IntArray, predicted: IntArray, slots: IntArray, n_slots: int, n_classes: int
) -> Counts:
    """The counts of classes alone; `predicted` and `slots` (-1: in none) are [n], or [draws, n] where they differ."""
    draws = max(np.atleast_2d(predicted).shape[0], np.atleast_2d(slots).shape[0])
    predicted, slots, y = (np.broadcast_to(x, (draws, len(y))) for x in (predicted, slots, y))
    cells = np.arange(draws)[:, None] * n_slots + slots

    def counted(of: IntArray, chosen: BoolArray) -> FloatArray:
        at = (cells * n_classes + of)[chosen]
        found = np.bincount(at, minlength=draws * n_slots * n_classes).astype(np.float64)
        return found.reshape(draws, n_slots, n_classes)

    there = slots >= 0
    none = np.empty((draws, n_slots, 0))
    classes = counted(y, there), counted(predicted, there), counted(y, there & (predicted == y))
    return Counts(*classes, none, none, none)


def roc_auc(score: FloatArray, positive: BoolArray) -> float:
    """Share of (positive, negative) pairs in which the positive scores higher; a tie counts half.

    NaN without a positive or without a negative. Source: the Mann-Whitney form of the area under
    the ROC curve, Hanley and McNeil 1982.
    """
    return float(_area(score, positive, ~positive, None)[0])


def _counted(y: IntArray, said: Answers) -> tuple[IntArray, FloatArray, int]:
    """Columns and values [n, c] of what an image adds to, and the number of columns: classes 3k, events 4m, bins 2b."""
    k, m, bins = said.n_classes, said.positive.shape[1], said.bins
    cells = 3 * k + 4 * np.arange(m) + 2 * said.positive + said.called
    first = 3 * k + 4 * m
    columns = np.column_stack(
        (y, k + said.predicted, 2 * k + y, cells, first + bins, first + N_BINS + bins)
    )
    values = np.ones(columns.shape)
    values[:, 2] = values[:, -1] = y == said.predicted
    values[:, -2] = said.confidence
    return columns, values, first + 2 * N_BINS


def _as_counts(sums: FloatArray, said: Answers, auc: FloatArray) -> Counts:
    """Sums by draw, slot and column of `_counted` as counts."""
    k, m = said.n_classes, said.positive.shape[1]
    classes, events, bins = np.split(sums, (3 * k, 3 * k + 4 * m), axis=-1)
    true, called, right = np.split(classes, 3, axis=-1)
    shape = sums.shape[:2]
    return Counts(
        true,
        called,
        right,
        events.reshape(*shape, m, 2, 2),
        bins.reshape(*shape, 2, N_BINS),
        auc,
    )


def _areas(
    tone: IntArray, n_tones: int, said: Answers, by_image: FloatArray | None, wanted: bool
) -> FloatArray:
    """Areas under the ROC curve, [draws, slots, m], NaN unless wanted; `by_image` as in `_area`."""
    m, n_draws = said.positive.shape[1], 1 if by_image is None else by_image.shape[1]
    found = np.full((n_draws, n_tones + 1, m), np.nan)
    for slot in range(n_tones + 1) if wanted else ():
        rows = np.flatnonzero(tone == slot) if slot < n_tones else np.arange(len(tone))
        for j in range(m):
            positive = said.positive[rows, j]
            found[:, slot, j] = _area(said.score[:, j], rows[positive], rows[~positive], by_image)
    return found


def _area(
    score: FloatArray,
    positives: IntArray | BoolArray,
    negatives: IntArray | BoolArray,
    by_image: FloatArray | None,
) -> FloatArray:
    """Share of (positive, negative) pairs in the right order, ties half, [draws].

    `by_image` [n, draws] are weights, and the two are rows; without them there is one draw that has every image once.
    """
    ours, theirs = score[positives], score[negatives]
    if by_image is None:
        ours, theirs = np.sort(ours), np.sort(theirs)
        below, weights = np.arange(len(theirs) + 1.0)[:, None], np.ones((len(ours), 1))
    else:
        order = np.argsort(theirs)
        theirs = theirs[order]
        below, weights = np.zeros((len(order) + 1, by_image.shape[1])), by_image[positives]
        np.cumsum(by_image[negatives[order]], axis=0, out=below[1:])
    first, last = (np.searchsorted(theirs, ours, side) for side in _SIDES)
    ordered = _summed_product(below[first], weights)
    tied = first < last
    if tied.any():
        more = below[last[tied]] - below[first[tied]]
        ordered += _summed_product(more, weights[tied]) / 2
    pairs = weights.sum(axis=0) * below[-1]
    shares: FloatArray = np.divide(ordered, pairs, out=np.full(len(pairs), np.nan), where=pairs > 0)
    return shares


def _summed_product(one: FloatArray, other: FloatArray) -> FloatArray:
    """Sums over rows of the products, [draws]; overwrites the first. Of whole numbers: exact in any order."""
    found: FloatArray = np.multiply(one, other, out=one).sum(axis=0)
    return found
