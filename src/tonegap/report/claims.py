"""What a table's numbers support: intervals, entries told apart, gaps beside those of chance.

Made from the answers that each cell kept beside its record; an entry without them makes no claim.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.evidence.answers import TestAnswers
from tonegap.evidence.bands import rank_bands
from tonegap.evidence.comparing import Paired, holm
from tonegap.evidence.entries import Asked, EntryEvidence, compare_entries
from tonegap.evidence.intervals import Interval
from tonegap.evidence.parity import Parity
from tonegap.evidence.table import table_evidence
from tonegap.report.compare import reference_of
from tonegap.report.kept import Answers
from tonegap.report.model import Row, Table
from tonegap.report.pairs import TablePairs, table_pairs
from tonegap.report.settings import LeaderboardSettings
from tonegap.report.truths import contradiction
from tonegap.run.record import EntryId
from tonegap.score.tables import ALL, GAP, WORST

_SCORES = (ALL, WORST, GAP)


@dataclass(frozen=True, slots=True)
class Change:
    """A difference from the reference and its p-value, corrected for all entries of the table."""

    paired: Paired
    p: float


@dataclass(frozen=True, slots=True)
class RowClaims:
    """What the test images say of one row, in the metric that ranks.

    `band` groups ranked rows that cannot be told apart; None for one that is not ranked. `intervals` and
    `changes` have `all`, and `worst` and `gap` where the metric has them.
    """

    row: Row
    band: int | None
    intervals: Mapping[str, Interval]
    changes: Mapping[str, Change]
    parity: Parity | None
    detectable: float | None


@dataclass(frozen=True, slots=True)
class Claims:
    """The claims of one table. `without` names rows that kept no answers; `alarms` concern controls.

    `contradictions`: records whose scores by tone are not those of their own predictions and truth. `n_left`
    rows of a long table were not looked at; `pairs`: None with fewer than two entries.
    """

    table: Table
    rows: tuple[RowClaims, ...]
    without: tuple[str, ...]
    positives: Mapping[str, int]
    alarms: tuple[str, ...]
    contradictions: tuple[str, ...] = ()
    n_left: int = 0
    pairs: TablePairs | None = None


def claims_of(
    tables: Iterable[Table], settings: LeaderboardSettings, answers: Answers
) -> tuple[Claims, ...]:
    """The claims of every table that has any."""
    found = (table_claims(table, settings, answers) for table in tables)
    return tuple(claims for claims in found if claims is not None)


def table_claims(table: Table, settings: LeaderboardSettings, answers: Answers) -> Claims | None:
    """The claims of one table; None where no row kept its answers."""
    if table.question is None:
        return None
    tones, metric = table.tones(table.ranked[1]), table.ranked[2]
    asked = Asked(table.question.positive, tones, metric, everything=False, compared=True)
    looked_at = _looked_at(table, settings.n_compared)
    kept = {row.entry: _kept(row, answers) for row in looked_at}
    evidence = table_evidence({entry: seeds for entry, seeds in kept.items() if seeds}, asked)
    if not evidence:
        return None
    changes = _changes(table, evidence, settings)
    bands = _bands(table, settings, evidence)
    rows = tuple(
        _row(row, evidence[row.entry], bands, changes, metric)
        for row in looked_at
        if row.entry in evidence
    )
    one = next(seeds for seeds in kept.values() if seeds)[0]
    return Claims(
        table=table,
        rows=rows,
        without=tuple(r.entry.label for r in looked_at if r.entry not in evidence),
        positives=_positives(one, asked),
        alarms=_alarms(table, kept, evidence, settings),
        contradictions=tuple(_contradictions(table, kept, settings.selection)),
        n_left=len(table.all_rows) - len(looked_at),
        pairs=table_pairs(table, evidence),
    )


def _looked_at(table: Table, n_compared: int) -> tuple[Row, ...]:
    """The first rows of a table, the references, wherever they stand, and the first controls."""
    first = table.rows[:n_compared]
    references = [row for row in table.rows[n_compared:] if "reference" in row.marks]
    return (*first, *references, *table.controls[:n_compared])


def _kept(row: Row, answers: Answers) -> list[TestAnswers]:
    """The answers of every seed of a row; none if a seed lacks a record or kept none."""
    found = [answers(s.record) if s.record else None for s in row.seeds]
    complete = [a for a in found if a is not None]
    return complete if len(complete) == len(found) else []


def _contradictions(
    table: Table, kept: Mapping[EntryId, Sequence[TestAnswers]], rule: str
) -> Iterable[str]:
    for row in table.all_rows:
        for record, said in zip(row.records, kept.get(row.entry, ()), strict=False):
            problem = contradiction(record, said, rule)
            if problem:
                yield problem


def _row(
    row: Row,
    evidence: EntryEvidence,
    bands: Mapping[EntryId, int],
    changes: Mapping[tuple[EntryId, str], Change],
    metric: str,
) -> RowClaims:
    found = {s: evidence.intervals.get((metric, s)) for s in _SCORES}
    return RowClaims(
        row=row,
        band=bands.get(row.entry),
        intervals={s: interval for s, interval in found.items() if interval},
        changes={s: changes[row.entry, s] for s in _SCORES if (row.entry, s) in changes},
        parity=evidence.parity,
        detectable=evidence.detectable,
    )


def _changes(
    table: Table, evidence: Mapping[EntryId, EntryEvidence], settings: LeaderboardSettings
) -> dict[tuple[EntryId, str], Change]:
    """Each entry against its reference, corrected over the entries of the table, score by score."""
    pairs: dict[EntryId, EntryId] = {}
    for row in table.rows:
        against = reference_of(row.entry, settings.reference, evidence.keys())
        if row.entry in evidence and against and against != row.entry:
            pairs[row.entry] = against
    found: dict[tuple[EntryId, str], Change] = {}
    for score in _SCORES:
        compared = {
            entry: paired
            for entry, against in pairs.items()
            if (paired := _compare(evidence[entry], evidence[against], score))
        }
        corrected = holm([paired.p for paired in compared.values()])
        for (entry, paired), p in zip(compared.items(), corrected, strict=True):
            found[entry, score] = Change(paired, p)
    return found


def _compare(one: EntryEvidence, other: EntryEvidence, score: str) -> Paired | None:
    if one.drawn.images != other.drawn.images:
        return None
    return compare_entries(one.drawn, other.drawn, score)


def _bands(
    table: Table, settings: LeaderboardSettings, evidence: Mapping[EntryId, EntryEvidence]
) -> dict[EntryId, int]:
    """Bands of the ranked rows that kept answers, by the score that ranks."""
    score = WORST if settings.by_worst(table.ranked[2]) else ALL
    ranked = [r.entry for r in table.rows if r.rank is not None and r.entry in evidence]
    bands = rank_bands([evidence[entry].drawn for entry in ranked], score)
    return dict(zip(ranked, bands, strict=True))


def _positives(answers: TestAnswers, asked: Asked) -> dict[str, int]:
    """How many positive images of each tone stand behind a gap; none without an event."""
    if not asked.positive:
        return {}
    hits = [t for t, y in zip(answers.tones, answers.labels, strict=True) if y in asked.positive]
    return {tone: hits.count(tone) for tone in asked.tones}


def _alarms(
    table: Table,
    kept: Mapping[EntryId, Sequence[TestAnswers]],
    evidence: Mapping[EntryId, EntryEvidence],
    settings: LeaderboardSettings,
) -> tuple[str, ...]:
    """Controls that should know nothing and score above the share of the most frequent class."""
    return tuple(_alarmed(table.controls, kept, evidence, settings))


def _alarmed(
    controls: Sequence[Row],
    kept: Mapping[EntryId, Sequence[TestAnswers]],
    evidence: Mapping[EntryId, EntryEvidence],
    settings: LeaderboardSettings,
) -> Iterable[str]:
    for row in controls:
        if row.entry not in evidence or row.entry.method != settings.reference.method:
            continue  # a method that serves as a control may know as much as the reference
        interval = evidence[row.entry].intervals["accuracy", ALL]
        shares = [np.bincount(a.y).max() / len(a.y) for a in kept[row.entry]]
        largest = float(np.mean(shares))
        if interval.low is not None and interval.low > largest:
            yield (
                f"the control {row.entry.label} is right for more images than the most frequent class "
                f"has ({100 * interval.low:.1f} % at least, against {100 * largest:.1f} %): something leaks"
            )
