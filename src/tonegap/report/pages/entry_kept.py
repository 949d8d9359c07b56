"""All that an entry's page rests on, gathered from records, predictions and marks of stages."""

from collections.abc import Mapping
from dataclasses import dataclass

from tonegap.formats.record import Record
from tonegap.report.pages.entry_numbers import (
    Confusion,
    EventCounts,
    Reliability,
    confusions,
    epoch_scores,
    event_counts,
    reliabilities,
)
from tonegap.report.pages.entry_suite import StageSetting
from tonegap.report.pages.plots import Curve
from tonegap.results.answers import Answers, Epochs
from tonegap.results.board import Leaderboard
from tonegap.results.claims import Claims, RowClaims
from tonegap.results.model import Axis, LeaderboardTable, Question, Row
from tonegap.scores.evidence.entries import EvidenceRequest
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.evidence.intervals import Interval
from tonegap.scores.evidence.table import shown_intervals
from tonegap.scores.results import rules_of
from tonegap.scores.tables import ALL
from tonegap.store.marks import StageMark
from tonegap.store.source import ResultSource

# Of a row whose store has no marks any more: what the defaults of a suite are.
_USUAL = StageSetting(1, "cpu")


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
        stages = self.row.records[0].stages
        mark = self.marks.get(stages[-1].key) if stages else None
        if mark is None:
            return _USUAL
        asked = mark.ingredients
        threads = asked.get("threads", "1")
        return StageSetting(int(threads) if threads.isdecimal() else 1, asked.get("device", "cpu"))


def entry_kept(
    board: Leaderboard, table: LeaderboardTable, row: Row, readers: Readers
) -> EntryKept:
    """What is kept of a row that has a record. Raises StoreError for damaged files."""
    if table.question is None:
        raise ValueError("a row with a record belongs to a table with a question")
    claims = board.claims_of(table)
    of_row = next((r for r in claims.rows if r.row.entry == row.entry), None) if claims else None
    keys = {stage.key for record in row.records for stage in record.stages}
    found = {key: readers.source.mark(key) for key in sorted(keys)}
    return EntryKept(
        board=board,
        table=table,
        question=table.question,
        row=row,
        claims=of_row,
        said=_said(table, row, readers, claims, of_row),
        marks={key: mark for key, mark in found.items() if mark},
    )


def _said(
    table: LeaderboardTable,
    row: Row,
    readers: Readers,
    claims: Claims | None,
    of_row: RowClaims | None,
) -> Said | None:
    question = table.question
    if question is None:
        return None
    found = [readers.answers(record) for record in row.records]
    seeds = [answers for answers in found if answers is not None]
    if len(seeds) < len(found):
        return None
    axis = next(axis for axis in table.axes if axis.name == table.ranked[1])
    coarse = min(table.axes, key=lambda axis: len(axis.tones))
    if of_row:
        intervals = of_row.evidence.every_shown()
    else:
        asked = EvidenceRequest(question.positive, axis.tones, table.ranked[2])
        among = claims.seeds if claims and not row.control else None
        intervals = shown_intervals(seeds, asked, among)
    return Said(
        intervals=intervals,
        positives=_positives(seeds, question, axis),
        confusions=confusions(seeds, axis),
        events=event_counts(seeds, axis, question.positive),
        reliabilities=reliabilities(seeds, coarse),
        curves=_curves(table, row, readers.epochs),
    )


def _positives(
    seeds: list[TestAnswers], question: Question, axis: Axis
) -> dict[str, tuple[int, ...]]:
    if not question.positive:
        return {}
    by_seed = [event_counts([seed], axis, question.positive) for seed in seeds]
    names = (ALL, *axis.tones)
    return {
        name: tuple(counts[i].hits + counts[i].misses for counts in by_seed)
        for i, name in enumerate(names)
    }


def _curves(table: LeaderboardTable, row: Row, epochs: Epochs) -> tuple[Curve, ...]:
    found = (_curve(record, table, epochs) for record in row.records)
    return tuple(curve for curve in found if curve is not None)


def _curve(record: Record, table: LeaderboardTable, epochs: Epochs) -> Curve | None:
    kept = epochs(record)
    if kept is None:
        return None
    selection, _, metric = table.ranked
    picked = record.scores[selection].epoch if selection in record.scores else None
    return Curve(epoch_scores(*kept, metric, rules_of(record)), picked)
