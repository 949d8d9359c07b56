"""What an entry's answers add up to, image by image: confusion, calibration, scores by epoch. Pure.

Answers of several seeds are counted together: each image once per seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.arrays import BoolArray, FloatArray
from tonegap.formats.record import CurvePoint
from tonegap.results.model import Axis
from tonegap.scores.counts import N_BINS, Answers, answers, count_once
from tonegap.scores.evidence.images import TestAnswers, tone_indices
from tonegap.scores.formulas import metric_values
from tonegap.scores.predictions import Labelled
from tonegap.scores.rules import ScoringRules
from tonegap.scores.selection import epoch_values, youden_threshold
from tonegap.scores.tables import ALL, SELECTION_METRICS
from tonegap.scores.task_rules import Rules
from tonegap.scores.undefined import Undefined
from tonegap.tones import tone_group


@dataclass(frozen=True, slots=True)
class Confusion:
    """Images of a tone (or `all`) by true class (row) and most probable class (column)."""

    tone: str
    counts: tuple[tuple[int, ...], ...]

    @property
    def n(self) -> int:
        """All images of it."""
        return sum(map(sum, self.counts))


@dataclass(frozen=True, slots=True)
class EventCounts:
    """TP, FN, TN and FP of a tone (or `all`) at the rule's threshold."""

    tone: str
    hits: int
    misses: int
    rejections: int
    alarms: int


@dataclass(frozen=True, slots=True)
class Bin:
    """Images whose confidence lies in bin `index`: how many, its mean, the share that is right."""

    index: int
    n: int
    confidence: float
    accuracy: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """The bins of a tone that have images, from the least sure on."""

    tone: str
    bins: tuple[Bin, ...]

    @property
    def n(self) -> int:
        """All images of it."""
        return sum(b.n for b in self.bins)


def confusions(seeds: Sequence[TestAnswers], axis: Axis) -> tuple[Confusion, ...]:
    """One for all images, then one for each tone of the axis."""
    k = len(seeds[0].classes)
    found = {name: np.zeros((k, k), dtype=np.int64) for name in (ALL, *axis.tones)}
    for seed in seeds:
        predicted = seed.p.argmax(axis=1)
        for name, member in _members(seed, axis).items():
            np.add.at(found[name], (seed.y[member], predicted[member]), 1)
    return tuple(
        Confusion(name, tuple(tuple(row) for row in counts.tolist()))
        for name, counts in found.items()
    )


def event_counts(
    seeds: Sequence[TestAnswers], axis: Axis, positive: tuple[str, ...]
) -> tuple[EventCounts, ...]:
    """One for all images, then one for each tone; none without an event."""
    if not positive:
        return ()
    found = {name: np.zeros(4, dtype=np.int64) for name in (ALL, *axis.tones)}
    for seed in seeds:
        said = _said(seed, positive)
        cell = 2 * ~said.positive[:, 0] + (said.positive[:, 0] ^ said.called[:, 0])
        for name, member in _members(seed, axis).items():
            found[name] += np.bincount(cell[member], minlength=4)
    return tuple(EventCounts(name, *counts.tolist()) for name, counts in found.items())


def reliabilities(seeds: Sequence[TestAnswers], axis: Axis) -> tuple[Reliability, ...]:
    """Confidence against accuracy of each tone, in the bins of the calibration error."""
    sums = {name: np.zeros((3, N_BINS)) for name in axis.tones}
    for seed in seeds:
        said = answers(seed.p, seed.y, ScoringRules(seed.classes))
        at, right = said.bins, said.predicted == seed.y
        weights = (np.ones(len(at)), said.confidence, right.astype(np.float64))
        for name, member in _members(seed, axis).items():
            if name != ALL:
                sums[name] += [np.bincount(at[member], w[member], N_BINS) for w in weights]
    return tuple(Reliability(name, _bins(found)) for name, found in sums.items())


def epoch_scores(
    validation: Labelled, test: Labelled, metric: str, rules: Rules
) -> tuple[CurvePoint, ...]:
    """A metric of all validation and of all test images in every epoch; None where it is undefined.

    A threshold is each epoch's own, from the validation images.
    """
    lines = [_by_epoch(images, validation, metric, rules) for images in (validation, test)]
    rows = zip(test.epochs, *lines, strict=True)
    return tuple(
        CurvePoint(epoch, of_validation, of_test) for epoch, of_validation, of_test in rows
    )


def _by_epoch(
    images: Labelled, validation: Labelled, metric: str, rules: Rules
) -> list[float | None]:
    if metric in SELECTION_METRICS:
        values = epoch_values(images, metric, rules.plain)
        n = len(images.epochs)
        return [None] * n if isinstance(values, Undefined) else [float(v) for v in values]
    return [_one_epoch(images, validation, metric, rules, i) for i in range(len(images.epochs))]


def _one_epoch(
    images: Labelled, validation: Labelled, metric: str, rules: Rules, epoch: int
) -> float | None:
    threshold = youden_threshold(validation, epoch, rules.plain)
    scoring = ScoringRules(rules.classes, rules.positive, threshold, 1, rules.tones)
    tone = tone_indices(images.tones, rules.tones)
    said = answers(images.p[epoch], images.y, scoring)
    counts = count_once(images.y, tone, len(rules.tones), said)
    value = float(metric_values(counts, bool(rules.positive))[metric][0, -1])
    return value if np.isfinite(value) else None


def _members(seed: TestAnswers, axis: Axis) -> dict[str, BoolArray]:
    """Which images belong to `all` and to each tone of the axis; types pool into groups."""
    pooled = [t if t is None or t in axis.tones else tone_group(t) for t in seed.tones]
    tone = tone_indices(pooled, axis.tones)
    found = {ALL: np.ones(len(tone), dtype=np.bool_)}
    return found | {name: tone == i for i, name in enumerate(axis.tones)}


def _said(seed: TestAnswers, positive: tuple[str, ...]) -> Answers:
    return answers(seed.p, seed.y, ScoringRules(seed.classes, positive, seed.threshold))


def _bins(sums: FloatArray) -> tuple[Bin, ...]:
    rows = enumerate(sums.T.tolist())
    return tuple(Bin(i, int(n), c / n, right / n) for i, (n, c, right) in rows if n)
