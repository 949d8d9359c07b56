"""The variance of areas under the ROC curve over test images, without draws.

Sources: DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44(3); for images in groups Obuchowski 1997,
Biometrics 53(2): what the images of a group contribute is added up before it is squared.
"""

from collections.abc import Sequence

import numpy as np

from tonegap.arrays import BoolArray, FloatArray
from tonegap.scores.counts import Answers
from tonegap.scores.evidence.draws import union_of
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


def auc_freedom(images: TestImages, said: Answers) -> FloatArray:
    """Degrees of freedom of that variance at one seed, [tones and all]: of its sides, by Satterthwaite; at least 1.

    A side has one fewer than groups of near-duplicates. Six positives beside fifty negatives say about what six do.
    """
    n_tones, m = len(images.tones), said.positive.shape[1]
    found = np.ones(n_tones + 1)
    for slot in range(n_tones + 1):
        rows = np.flatnonzero(images.tone == slot) if slot < n_tones else np.arange(len(images))
        parts, squares = 0.0, 0.0
        for j in range(m):
            positive = said.positive[rows, j]
            noise = placements(said.score[rows, j], positive) ** 2
            for side in (positive, ~positive):
                part, n = float(noise[side].sum()), len(np.unique(images.unit[rows][side]))
                parts, squares = parts + part, squares + part**2 / max(n - 1, 1)
        if squares > 0:
            found[slot] = max(parts**2 / squares, 1.0)
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
