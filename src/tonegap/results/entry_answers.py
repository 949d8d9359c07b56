"""Gathers what an entry's stored answers add up to, from records, predictions and marks of stages.

Answers of several seeds are counted together: each image once per seed.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tonegap.formats.record import CurvePoint, Record
from tonegap.results.answers import AnswersOf, Epochs
from tonegap.results.board import Leaderboard
from tonegap.results.claims import RowClaims
from tonegap.results.model import Axis, LeaderboardTable, Question, Row
from tonegap.scores.evidence.entries import EvidenceRequest
from tonegap.scores.evidence.intervals import Interval
from tonegap.scores.evidence.missed_images import MissedOfTone, missed_images
from tonegap.scores.evidence.table import shown_intervals
from tonegap.scores.evidence.tone_counts import (
    Confusion,
    EventCounts,
    Reliability,
    confusions,
    event_counts,
    reliabilities,
)
from tonegap.scores.results import epoch_scores, rules_of
from tonegap.store.marks import StageMark
from tonegap.store.source import ResultSource


@dataclass(frozen=True, slots=True)
class StageSetting:
    """What a record does not say and its last stage's mark does: threads of a stage, and its device."""

    threads: int
    device: str


@dataclass(frozen=True, slots=True)
class Curve:
    """A seed's scores by epoch, and the epoch that was picked (None: none was)."""

    points: tuple[CurvePoint, ...]
    picked: int | None


# Of a row whose store has no marks any more: what the defaults of a suite are.
_USUAL = StageSetting(1, "cpu")


@dataclass(frozen=True, slots=True)
class Readers:
    """Where the evidence comes from: answers and epochs of a record, marks of stages."""

    answers: AnswersOf
    epochs: Epochs
    source: ResultSource


@dataclass(frozen=True, eq=False)
class AnswerSums:
    """What an entry's answers add up to.

    `intervals`: the method's, of an entry that was trained once the network's. `positives`: positive test images by
    tone, one seed after another.
    """

    intervals: Mapping[tuple[str, str], Interval]
    positives: Mapping[str, tuple[int, ...]]
    confusions: tuple[Confusion, ...]
    events: tuple[EventCounts, ...]
    reliabilities: tuple[Reliability, ...]
    curves: tuple[Curve, ...]
    missed: tuple[MissedOfTone, ...]


@dataclass(frozen=True, eq=False)
class EntryAnswers:
    """A row with its evidence; `said` is None where answers were not kept for all of its records."""

    board: Leaderboard
    table: LeaderboardTable
    question: Question
    row: Row
    claims: RowClaims | None
    said: AnswerSums | None
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


def entry_answers(
    board: Leaderboard, table: LeaderboardTable, row: Row, readers: Readers
) -> EntryAnswers:
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
        by_seed = [event_counts([of_seed], axis.tones, question.positive) for of_seed in seeds]
        said = AnswerSums(
            intervals=intervals,
            positives={
                c[0].tone: tuple(e.hits + e.misses for e in c) for c in zip(*by_seed, strict=True)
            },
            confusions=confusions(seeds, axis.tones),
            events=event_counts(seeds, axis.tones, question.positive),
            reliabilities=reliabilities(seeds, coarse.tones),
            curves=tuple(curve for curve in curves if curve),
            missed=missed_images(seeds, axis.tones),
        )
    return EntryAnswers(board, table, question, row, of_row, said, marks)


def _curve(record: Record, table: LeaderboardTable, epochs: Epochs) -> Curve | None:
    kept, (selection, _, metric) = epochs(record), table.ranked
    if kept is None:
        return None
    picked = record.scores[selection].epoch if selection in record.scores else None
    return Curve(epoch_scores(*kept, metric, rules_of(record)), picked)
