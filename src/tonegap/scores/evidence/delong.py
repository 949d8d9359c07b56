"""The variance of areas under the ROC curve over test images, without draws.

Sources: DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44(3); for images in groups Obuchowski 1997,
Biometrics 53(2): what the images of a group contribute is added up before it is squared.
"""

from collections.abc import Sequence

import numpy as np

from tonegap.arrays import BoolArray, FloatArray
from tonegap.scores.counts import Answers
from tonegap.scores.evidence.bootstrap import union_of
from tonegap.scores.evidence.images import TestImages


def auc_variance(images: Sequence[TestImages], said: Sequence[Answers]) -> FloatArray:
    """The variance of the mean area over seeds, [tones and all]; NaN where a side has fewer than two images.

    An image that several seeds were tested on counts as one.
    """
    each = [_influence(i, a) for i, a in zip(images, said, strict=True)]
    union = union_of(tuple(images))
    by_unit = np.zeros((len(union.names), len(each[0])))
    np.add.at(by_unit, np.concatenate(union.members), np.concatenate(each, axis=1).T / len(each))
    variance: FloatArray = (by_unit**2).sum(axis=0)
    return variance


def auc_freedom(images: Sequence[TestImages], said: Sequence[Answers]) -> FloatArray:
    """Degrees of freedom of that variance, [tones and all]: those of its sides, by Satterthwaite; at least 1.

    A side's part has one fewer than it has groups of near-duplicates. Parts are means over seeds, groups those of the
    seed with the fewest. Six positives beside fifty negatives say about as much as six do.
    """
    n_tones, m = len(images[0].tones), said[0].positive.shape[1]
    found = np.ones(n_tones + 1)
    for slot in range(n_tones + 1):
        parts, df = np.zeros(2 * m), np.full(2 * m, np.inf)
        for i, a in zip(images, said, strict=True):
            rows = np.flatnonzero(i.tone == slot) if slot < n_tones else np.arange(len(i))
            for j in range(m):
                noise = placements(a.score[rows, j], a.positive[rows, j]) ** 2
                for at, side in ((2 * j, a.positive[rows, j]), (2 * j + 1, ~a.positive[rows, j])):
                    parts[at] += noise[side].sum() / len(images)
                    df[at] = min(df[at], len(np.unique(i.unit[rows][side])) - 1.0)
        if parts.sum() > 0:
            found[slot] = max(parts.sum() ** 2 / (parts**2 / np.maximum(df, 1)).sum(), 1.0)
    return found


def _influence(images: TestImages, said: Answers) -> FloatArray:
    """What each image contributes to the area's noise, [slots, n]; squares add up to the variance."""
    n_tones, m = len(images.tones), said.positive.shape[1]
    found = np.zeros((n_tones + 1, len(images)))
    for slot in range(n_tones + 1):
        rows = np.flatnonzero(images.tone == slot) if slot < n_tones else np.arange(len(images))
        for j in range(m):
            found[slot, rows] += placements(said.score[rows, j], said.positive[rows, j]) / m
    return found


def placements(score: FloatArray, positive: BoolArray) -> FloatArray:
    """Each image's placement among those of the other side, minus the area, as its share of the noise, [n].

    NaN where a side has fewer than two images.
    """
    ours, theirs = np.sort(score[positive]), np.sort(score[~positive])
    found = np.full(len(score), np.nan)
    if min(len(ours), len(theirs)) < 2:
        return found
    found[positive] = _rank(theirs, score[positive])
    found[~positive] = 1 - _rank(ours, score[~positive])
    area = found[positive].mean()
    for side, n in ((positive, len(ours)), (~positive, len(theirs))):
        found[side] = (found[side] - area) / np.sqrt(n * (n - 1))
    return found


def _rank(ordered: FloatArray, score: FloatArray) -> FloatArray:
    """The share of the ordered scores below each, ties half."""
    below, up_to = (np.searchsorted(ordered, score, side) for side in ("left", "right"))
    share: FloatArray = (below + up_to) / (2 * len(ordered))
    return share
