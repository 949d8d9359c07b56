"""What is counted in each draw: one sparse product for all draws of an entry.

Everything but the area under the ROC curve is a sum over images, so the counts of all draws are the
weights times a matrix with a few entries per image.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.sparse import csr_matrix

from tonegap.arrays import FloatArray, IntArray
from tonegap.scores.counts import N_BINS
from tonegap.scores.evidence.images import Answers, TestImages

_SIDES: tuple[Literal["left", "right"], ...] = ("left", "right")


@dataclass(frozen=True, eq=False)
class Tally:
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

    @property
    def n(self) -> FloatArray:
        """Images, [draws, slots]."""
        n: FloatArray = self.true.sum(axis=-1)
        return n

    @property
    def offsets(self) -> FloatArray:
        """Accuracy minus confidence of each bin, times its share of the images, [draws, slots, b]; NaN without images.

        Their sizes add up to the calibration error.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            offsets: FloatArray = (self.bins[..., 1, :] - self.bins[..., 0, :]) / self.n[..., None]
        return offsets


def tally(images: TestImages, said: Answers, weights: FloatArray, with_auc: bool = True) -> Tally:
    """What an entry's answers add up to in each draw; `weights` [draws, n].

    The areas cost most by far; without them `auc` is all NaN.
    """
    k, m, slots = said.n_classes, said.positive.shape[1], len(images.tones) + 1
    by_image = np.ascontiguousarray(weights.T)
    # Draws stay next to each other in memory: every sum over slots or classes then runs along them.
    sums = (_matrix(images, said).T @ by_image).T.reshape(len(weights), slots, -1)
    # The last slot held images of unknown tone; now it holds all.
    sums[:, -1] = sums.sum(axis=1)
    classes, events, bins = np.split(sums, (3 * k, 3 * k + 4 * m), axis=-1)
    true, called, right = np.split(classes, 3, axis=-1)
    shape = (len(weights), slots)
    return Tally(
        true,
        called,
        right,
        events.reshape(*shape, m, 2, 2),
        bins.reshape(*shape, 2, N_BINS),
        _aucs(images, said, by_image) if with_auc else np.full((*shape, m), np.nan),
    )


def _matrix(images: TestImages, said: Answers) -> csr_matrix:
    """Image by column: per slot the class counts [3k], the events [4m], the bins [2b]."""
    k, m, n = said.n_classes, said.positive.shape[1], len(images)
    width = 3 * k + 4 * m + 2 * N_BINS
    right = images.y == said.predicted
    cells = 4 * np.arange(m) + 2 * said.positive + said.called
    bins = np.digitize(said.confidence, np.arange(1, N_BINS) / N_BINS, right=True)
    columns = np.column_stack(
        (
            images.y,
            k + said.predicted,
            2 * k + images.y,
            3 * k + cells,
            3 * k + 4 * m + bins,
            3 * k + 4 * m + N_BINS + bins,
        )
    )
    values = np.ones(columns.shape)
    values[:, 2] = values[:, -1] = right
    values[:, -2] = said.confidence
    at = columns + (images.slots * width)[:, None]
    rows = np.repeat(np.arange(n), columns.shape[1])
    shape = (n, (len(images.tones) + 1) * width)
    return csr_matrix((values.ravel(), (rows, at.ravel())), shape=shape)


def _aucs(images: TestImages, said: Answers, by_image: FloatArray) -> FloatArray:
    """Weighted areas under the ROC curve, [draws, slots, m]; `by_image` [n, draws] are weights."""
    n_tones, m = len(images.tones), said.positive.shape[1]
    found = np.empty((by_image.shape[1], n_tones + 1, m))
    for slot in range(n_tones + 1):
        rows = np.flatnonzero(images.tone == slot) if slot < n_tones else np.arange(len(images))
        for j in range(m):
            positive = said.positive[rows, j]
            score = said.score[:, j]
            found[:, slot, j] = _auc(score, rows[positive], rows[~positive], by_image)
    return found


def _auc(
    score: FloatArray, positives: IntArray, negatives: IntArray, by_image: FloatArray
) -> FloatArray:
    """Share of weighted (positive, negative) pairs in the right order, ties half, [draws]."""
    negatives = negatives[np.argsort(score[negatives], kind="stable")]
    below = np.zeros((len(negatives) + 1, by_image.shape[1]))
    np.cumsum(by_image[negatives], axis=0, out=below[1:])
    first, last = (np.searchsorted(score[negatives], score[positives], side) for side in _SIDES)
    weights = by_image[positives]
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
