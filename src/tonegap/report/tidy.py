"""A leaderboard as a tidy CSV: one line per entry × task × selection × axis × metric × tone.

Scores are fractions, means over seeds; an empty `mean` has its `reason`. A text
that a spreadsheet would take for a formula begins with an apostrophe here, and only here.
"""

import csv
import io
from collections.abc import Callable, Iterator
from itertools import islice

from tonegap.report.board import Leaderboard
from tonegap.report.model import Difference, Mean, Row, Table, View
from tonegap.score.tables import ALL, GAP, WORST, metric_named
from tonegap.spreadsheet import safe_cell

COLUMNS = (
    "task", "data_set", "stand_in", "drawn", "subset", "method", "baseline", "backbone", "variant",
    "control", "marks", "seeds_declared", "seeds_finished", "unranked",
    "selection", "axis", "metric", "larger_is_better", "tone",
    "mean", "low", "high", "n_low", "n_high", "reason",
    "change_from_reference", "oracle_minus_validation", "rank",
)  # fmt: skip
TidyLine = tuple[str | int | float | None, ...]
Batch = list[TidyLine]
_BATCH = 20_000


def render_csv(board: Leaderboard) -> str:
    """The CSV, with LF; the same board gives the same text."""
    return b"".join(csv_pieces(board)).decode()


def csv_pieces(board: Leaderboard, each: Callable[[Batch], None] | None = None) -> Iterator[bytes]:
    """The CSV in UTF-8 bit by bit, for a file: that of 2,000 rows has 100 MB.

    `each` is handed the lines as well, so that another file of them need not make them again.
    """
    yield _written([COLUMNS])
    for batch in tidy_batches(board):
        if each:
            each(batch)
        yield _written(batch)


def _written(lines: Batch) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(
        [safe_cell(cell) for cell in line] for line in lines
    )
    return text.getvalue().encode()


def tidy_batches(board: Leaderboard) -> Iterator[Batch]:
    """The lines, aligned with COLUMNS, some thousands at a time; none is empty.

    `rank` stands on the line of the score that ranks and nowhere else.
    """
    lines = (
        line
        for table in board.tables
        for row in table.all_rows
        for line in _lines(board, table, row)
    )
    while batch := list(islice(lines, _BATCH)):
        yield batch


def _lines(board: Leaderboard, table: Table, row: Row) -> Iterator[TidyLine]:
    who = _who(table, row)
    if not row.views:
        selection, axis, metric = table.ranked
        why = next(s.hole.text for s in row.seeds if s.hole)
        yield (*who, selection, axis, metric, None, None, *[None] * 5, why, None, None, None)
    for (selection, axis, metric), view in row.views.items():
        where = selection, axis, metric, _yes(metric_named(metric).larger_is_better)
        ranks = (selection, axis, metric) == table.ranked
        ranking_tone = _ranking_tone(board, view)
        for tone, mean, change in _scores(view, table.tones(axis)):
            rank = row.rank if ranks and tone == ranking_tone else None
            oracle = view.oracle_minus_validation.value if tone == ALL else None
            changed = change.value if change else None
            yield (*who, *where, tone, *_mean(mean), changed, oracle, rank)


def _who(table: Table, row: Row) -> TidyLine:
    question, entry = table.question, row.entry
    return (
        table.task,
        question.data_set if question else None,
        _yes(question.stand_in) if question else None,
        _yes(question.drawn) if question else None,
        question.subset if question else None,
        entry.method,
        entry.baseline,
        entry.backbone,
        entry.variant,
        _yes(row.control),
        ";".join(row.marks),
        len(row.seeds),
        len(row.records),
        row.unranked,
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _ranking_tone(board: Leaderboard, view: View) -> str:
    return WORST if board.settings.rank_by == "worst" and view.scores.worst else ALL


def _scores(view: View, tones: tuple[str, ...]) -> Iterator[tuple[str, Mean, Difference | None]]:
    scores, change = view.scores, view.comparison
    yield ALL, scores.overall, change.overall if change else None
    # A metric that compares tones has no tone of its own.
    for tone, mean in zip(tones, scores.tones, strict=False):
        yield tone, mean, None
    if scores.worst and scores.gap:
        yield WORST, scores.worst, change.worst if change else None
        yield GAP, scores.gap, change.gap if change else None


def _mean(mean: Mean) -> TidyLine:
    return mean.value, mean.low, mean.high, mean.n_low, mean.n_high, mean.reason
