"""Gathers all that an entry's page rests on, from records, predictions and marks of stages.

Answers of several seeds are counted together: each image once per seed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.arrays import BoolArray
from tonegap.formats.record import Record
from tonegap.report.pages.charts import Curve
from tonegap.report.pages.entry_suite import StageSetting
from tonegap.report.pages.missed import MissedOfTone, missed_images
from tonegap.results.answers import Answers, Epochs
from tonegap.results.board import Leaderboard
from tonegap.results.claims import RowClaims
from tonegap.results.model import Axis, LeaderboardTable, Question, Row
from tonegap.scores.counts import N_BINS, answers
from tonegap.scores.evidence.entries import EvidenceRequest
from tonegap.scores.evidence.images import TestAnswers, tone_indices
from tonegap.scores.evidence.intervals import Interval
from tonegap.scores.evidence.table import shown_intervals
from tonegap.scores.results import epoch_scores, rules_of
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ALL
from tonegap.store.marks import StageMark
from tonegap.store.source import ResultSource
from tonegap.tones import pooled

# Of a row whose store has no marks any more: what the defaults of a suite are.
_USUAL = StageSetting(1, "cpu")


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


@dataclass(frozen=True, slots=True)
class Readers:
    """Where a page's evidence comes from: answers and epochs of a record, marks of stages."""

    answers: Answers
    epochs: Epochs
    source: ResultSource


@dataclass(frozen=True, eq=False)
class Said:
    """What an entry's answers add up to.

    `intervals`: those that a page shows. `positives`: positive test images by tone, one seed after another.
    """

    intervals: Mapping[tuple[str, str], Interval]
    positives: Mapping[str, tuple[int, ...]]
    confusions: tuple[Confusion, ...]
    events: tuple[EventCounts, ...]
    reliabilities: tuple[Reliability, ...]
    curves: tuple[Curve, ...]
    missed: tuple[MissedOfTone, ...]


@dataclass(frozen=True, eq=False)
class EntryKept:
    """A row with its evidence; `said` is None where answers were not kept for all of its records."""

    board: Leaderboard
    table: LeaderboardTable
    question: Question
    row: Row
    claims: RowClaims | None
    said: Said | None
    marks: Mapping[str, StageMark]

    @property
    def axis(self) -> Axis:
        """The tones of the view that ranks."""
        return next(axis for axis in self.table.axes if axis.name == self.table.ranked[1])

    @property
    def setting(self) -> StageSetting:
        """Threads and device of the stages that led to the first record."""
        return stage_setting(self.row.records[0], self.marks.get)


def stage_setting(record: Record, mark_of: Callable[[str], StageMark | None]) -> StageSetting:
    """Threads and device of the last training stage of a record; one thread of the CPU where its mark is gone."""
    trained = [stage for stage in record.stages if stage.stage == "train"]
    mark = mark_of(trained[-1].key) if trained else None
    if mark is None:
        return _USUAL
    threads = mark.ingredients.get("threads", "1")
    device = mark.ingredients.get("device", "cpu")
    return StageSetting(int(threads) if threads.isdecimal() else 1, device)


def entry_kept(
    board: Leaderboard, table: LeaderboardTable, row: Row, readers: Readers
) -> EntryKept:
    """What is kept of a row that has a record. Raises StoreError for damaged files."""
    question, claims = table.question, board.claims_of(table)
    if question is None:
        raise ValueError("a row with a record belongs to a table with a question")
    of_row = next((r for r in claims.rows if r.row.entry == row.entry), None) if claims else None
    keys = sorted({stage.key for record in row.records for stage in record.stages})
    marks = {key: mark for key in keys if (mark := readers.source.mark(key))}
    found = [readers.answers(record) for record in row.records]
    seeds = [of_seed for of_seed in found if of_seed is not None]
    said = None
    if len(seeds) == len(found):
        axis = next(axis for axis in table.axes if axis.name == table.ranked[1])
        coarse = min(table.axes, key=lambda axis: len(axis.tones))
        if of_row:
            intervals = of_row.evidence.every_shown()
        else:
            asked = EvidenceRequest(question.positive, axis.tones, table.ranked[2])
            among = claims.seeds if claims and not row.control else None
            intervals = shown_intervals(seeds, asked, among)
        curves = (_curve(record, table, readers.epochs) for record in row.records)
        by_seed = [event_counts([of_seed], axis, question.positive) for of_seed in seeds]
        said = Said(
            intervals=intervals,
            positives={
                c[0].tone: tuple(e.hits + e.misses for e in c) for c in zip(*by_seed, strict=True)
            },
            confusions=confusions(seeds, axis),
            events=event_counts(seeds, axis, question.positive),
            reliabilities=reliabilities(seeds, coarse),
            curves=tuple(curve for curve in curves if curve),
            missed=missed_images(seeds, axis.tones),
        )
    return EntryKept(board, table, question, row, of_row, said, marks)


def confusions(seeds: Sequence[TestAnswers], axis: Axis) -> tuple[Confusion, ...]:
    """One for all images, then one for each tone of the axis."""
    k = len(seeds[0].classes)
    found = {name: np.zeros((k, k), dtype=np.int64) for name in (ALL, *axis.tones)}
    for seed in seeds:
        predicted = seed.p.argmax(axis=1)
        for name, member in _members(seed, axis).items():
            np.add.at(found[name], (seed.y[member], predicted[member]), 1)
    return tuple(Confusion(name, tuple(map(tuple, n.tolist()))) for name, n in found.items())


def event_counts(
    seeds: Sequence[TestAnswers], axis: Axis, positive: tuple[str, ...]
) -> tuple[EventCounts, ...]:
    """One for all images, then one for each tone; none without an event."""
    if not positive:
        return ()
    found = {name: np.zeros(4, dtype=np.int64) for name in (ALL, *axis.tones)}
    for seed in seeds:
        said = answers(seed.p, seed.y, ScoringRules(seed.classes, positive, seed.threshold))
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
    bins = {name: enumerate(found.T.tolist()) for name, found in sums.items()}
    return tuple(
        Reliability(name, tuple(Bin(i, int(n), c / n, r / n) for i, (n, c, r) in rows if n))
        for name, rows in bins.items()
    )


def _members(seed: TestAnswers, axis: Axis) -> dict[str, BoolArray]:
    """Which images belong to `all` and to each tone of the axis; types pool into groups."""
    tone = tone_indices([pooled(t, axis.tones) for t in seed.tones], axis.tones)
    found = {ALL: np.ones(len(tone), dtype=np.bool_)}
    return found | {name: tone == i for i, name in enumerate(axis.tones)}


def _curve(record: Record, table: LeaderboardTable, epochs: Epochs) -> Curve | None:
    kept, (selection, _, metric) = epochs(record), table.ranked
    if kept is None:
        return None
    picked = record.scores[selection].epoch if selection in record.scores else None
    return Curve(epoch_scores(*kept, metric, rules_of(record)), picked)
