"""Turns a table into rows of text with footnotes, for the formats that have no more than that.

The mistake it exists to prevent: an empty cell that leaves the reader to guess why.
"""

from dataclasses import dataclass, field

from tonegap.report.phrases import (
    SELECTION_GAIN,
    UNDEFINED,
    UNDER_ORACLE,
    metric_label,
    n_of_tone,
    percent,
    points,
    seeds_done,
    shrunken_text,
    spread,
)
from tonegap.results.board import Leaderboard
from tonegap.results.model import Difference, LeaderboardTable, Mean, Row


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell's text and the number of its footnote, if it has one."""

    text: str
    note: int | None = None


@dataclass(frozen=True, slots=True)
class ReportGrid:
    """Header, ranked and unranked rows, control rows, and footnotes numbered from 1.

    The first two columns are words (rank, entry), all others numbers.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[GridCell, ...], ...]
    controls: tuple[tuple[GridCell, ...], ...]
    notes: tuple[str, ...]


@dataclass(slots=True)
class Footnotes:
    """Numbers reasons as they come, each once."""

    numbers: dict[str, int] = field(default_factory=dict)

    def cell(self, value: Mean | Difference | None, text: str) -> GridCell:
        """The text if there is a value, else – with the number of its reason."""
        if value is None:
            return GridCell("")
        if value.value is not None:
            return GridCell(text)
        return self.undefined(value.reason or "no reason given")

    def number(self, reason: str) -> int:
        """The number of a reason, from 1."""
        return self.numbers.setdefault(reason, len(self.numbers) + 1)

    def undefined(self, reason: str) -> GridCell:
        """The sign for undefined with the number of its reason."""
        return GridCell(UNDEFINED, self.number(reason))


def table_grid(board: Leaderboard, table: LeaderboardTable) -> ReportGrid:
    """The view that ranks, as text."""
    notes = Footnotes()
    rows = tuple(_cells(row, table, notes) for row in table.rows)
    controls = tuple(_cells(row, table, notes) for row in table.controls)
    return ReportGrid(_header(board, table), rows, controls, tuple(notes.numbers))


def _header(board: Leaderboard, table: LeaderboardTable) -> tuple[str, ...]:
    metric = table.ranked[2]
    tones = table.tones(table.ranked[1]) if _per_tone(table) else ()
    counted = [f"{t} (n {n_of_tone(table, table.ranked, i)})" for i, t in enumerate(tones)]
    label = metric_label(metric)
    ends = ["worst", "gap", "gap over seeds"] if tones else []
    if tones and table.ranking.believed:
        ends.insert(1, "worst, shrunken")
    change = ["Δ worst", "Δ gap"] if tones else [f"Δ {label}"]
    by = "" if board.settings.by_worst(metric) else " (ranks)"
    overall = f"{label}, all{by}"
    return ("#", "entry", *ends, overall, *counted, *change, UNDER_ORACLE, SELECTION_GAIN, "seeds")


def _per_tone(table: LeaderboardTable) -> bool:
    return any(
        row.views[table.ranked].scores.gap is not None
        for row in table.all_rows
        if table.ranked in row.views
    )


def _cells(row: Row, table: LeaderboardTable, notes: Footnotes) -> tuple[GridCell, ...]:
    rank = GridCell(str(row.rank)) if row.rank else GridCell("")
    if row.unranked:
        rank = notes.undefined(f"{row.entry.label}: not ranked: {row.unranked}")
    marks = f" [{', '.join(row.marks)}]" if row.marks else ""
    view = row.views.get(table.ranked)
    middle = _numbers(row, table, notes) if view else _blanks(row, table, notes)
    return rank, GridCell(row.entry.label + marks), *middle, GridCell(seeds_done(row))


def _numbers(row: Row, table: LeaderboardTable, notes: Footnotes) -> list[GridCell]:
    view = row.views[table.ranked]
    scores, change = view.scores, view.comparison
    cells = []
    if scores.worst and scores.gap:
        worst = f"{percent(scores.worst.value)} {'/'.join(scores.worst_at)}"
        cells.append(notes.cell(scores.worst, worst))
        cells += [GridCell(shrunken_text(row))] if table.ranking.believed else []
        cells += [
            notes.cell(scores.gap, percent(scores.gap.value)),
            GridCell(spread(scores.gap).replace(" to ", "–")),
        ]
    cells.append(notes.cell(scores.overall, percent(scores.overall.value)))
    cells += [notes.cell(tone, percent(tone.value)) for tone in scores.tones]
    changes: list[Difference | None] = [change.overall] if change else [None]
    if scores.gap:
        changes = [change.worst, change.gap] if change else [None, None]
    cells += [notes.cell(c, points(c.value) if c else "") for c in changes]
    choices = (view.under_test_oracle, view.cross_fitted)
    return [*cells, *(notes.cell(choice, points(choice.value)) for choice in choices)]


def _blanks(row: Row, table: LeaderboardTable, notes: Footnotes) -> list[GridCell]:
    """A row without any record: – in every column, for one reason."""
    n_tones = len(table.tones(table.ranked[1])) if _per_tone(table) else 0
    n_columns = 3 + n_tones + 5 + bool(table.ranking.believed) if n_tones else 4
    why = next(s.hole.text for s in row.seeds if s.hole)
    return [notes.undefined(f"{row.entry.label}: {why}")] * n_columns
