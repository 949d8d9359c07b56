"""Counts of an entry's answers, by tone: confusion matrices, TP to FP, and bins of confidence.

Answers of several seeds are counted together: each image once per seed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.arrays import BoolArray
from tonegap.scores.counts import answers
from tonegap.scores.evidence.images import TestAnswers, tone_indices
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ALL, N_BINS
from tonegap.tones import pooled


@dataclass(frozen=True, slots=True)
class Confusion:
    """Images of a tone (or `all`) by true class (row) and most probable class (column)."""

    tone: str
    counts: tuple[tuple[int, ...], ...]

    @property
    def n(self) -> int:
        """All images of it."""
        return sum(map(sum, self.counts))

    def n_of(self, true: int) -> int:
        """Images of a true class."""
        return sum(self.counts[true])

    def shares(self, min_support: int) -> tuple[tuple[float, ...] | None, ...]:
        """Each row over its sum; None for a true class with fewer images than `min_support`, or with none."""
        return tuple(
            tuple(n / total for n in row) if (total := sum(row)) >= max(min_support, 1) else None
            for row in self.counts
        )

    def frequent(self, most: int) -> tuple[tuple[int, int], ...]:
        """The `most` most frequent confusions as (true, predicted) class, the most frequent first; those that occur."""
        cells = ((-n, i, j) for i, row in enumerate(self.counts) for j, n in enumerate(row))
        wrong = sorted(cell for cell in cells if cell[0] and cell[1] != cell[2])
        return tuple((i, j) for _, i, j in wrong[:most])


@dataclass(frozen=True, slots=True)
class EventCounts:
    """TP, FN, TN and FP of a tone (or `all`) at the rule's threshold."""

    tone: str
    hits: int
    misses: int
    rejections: int
    alarms: int

    @property
    def positive(self) -> int:
        """Images of the event."""
        return self.hits + self.misses

    @property
    def negative(self) -> int:
        """Images without it."""
        return self.rejections + self.alarms

    def sensitivity(self, min_support: int) -> float | None:
        """TP over positive images; None with fewer of these than `min_support`, or with none."""
        return self.hits / self.positive if self.positive >= max(min_support, 1) else None

    def specificity(self, min_support: int) -> float | None:
        """TN over negative images; None with fewer of these than `min_support`, or with none."""
        return self.rejections / self.negative if self.negative >= max(min_support, 1) else None


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


def confusions(seeds: Sequence[TestAnswers], tones: Sequence[str]) -> tuple[Confusion, ...]:
    """One for all images, then one for each of `tones`."""
    k = len(seeds[0].classes)
    found = {name: np.zeros((k, k), dtype=np.int64) for name in (ALL, *tones)}
    for seed in seeds:
        predicted = seed.p.argmax(axis=1)
        for name, member in _members(seed, tones).items():
            np.add.at(found[name], (seed.y[member], predicted[member]), 1)
    return tuple(Confusion(name, tuple(map(tuple, n.tolist()))) for name, n in found.items())


def event_counts(
    seeds: Sequence[TestAnswers], tones: Sequence[str], positive: tuple[str, ...]
) -> tuple[EventCounts, ...]:
    """One for all images, then one for each tone; none without an event."""
    if not positive:
        return ()
    found = {name: np.zeros(4, dtype=np.int64) for name in (ALL, *tones)}
    for seed in seeds:
        said = answers(seed.p, seed.y, ScoringRules(seed.classes, positive, seed.threshold))
        cell = 2 * ~said.positive[:, 0] + (said.positive[:, 0] ^ said.called[:, 0])
        for name, member in _members(seed, tones).items():
            found[name] += np.bincount(cell[member], minlength=4)
    return tuple(EventCounts(name, *counts.tolist()) for name, counts in found.items())


def reliabilities(seeds: Sequence[TestAnswers], tones: Sequence[str]) -> tuple[Reliability, ...]:
    """Confidence against accuracy of each tone, in the bins of the calibration error."""
    sums = {name: np.zeros((3, N_BINS)) for name in tones}
    for seed in seeds:
        said = answers(seed.p, seed.y, ScoringRules(seed.classes))
        at, right = said.bins, said.predicted == seed.y
        weights = (np.ones(len(at)), said.confidence, right.astype(np.float64))
        for name, member in _members(seed, tones).items():
            if name != ALL:
                sums[name] += [np.bincount(at[member], w[member], N_BINS) for w in weights]
    bins = {name: enumerate(found.T.tolist()) for name, found in sums.items()}
    return tuple(
        Reliability(name, tuple(Bin(i, int(n), c / n, r / n) for i, (n, c, r) in rows if n))
        for name, rows in bins.items()
    )


def _members(seed: TestAnswers, tones: Sequence[str]) -> dict[str, BoolArray]:
    """Which images belong to `all` and to each of `tones`; types pool into groups."""
    tone = tone_indices([pooled(t, tones) for t in seed.tones], tones)
    found = {ALL: np.ones(len(tone), dtype=np.bool_)}
    return found | {name: tone == i for i, name in enumerate(tones)}
