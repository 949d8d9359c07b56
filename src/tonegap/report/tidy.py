"""A leaderboard as a tidy CSV: one line per entry × task × selection × axis × metric × tone.

Scores are fractions, means over seeds; an empty `mean` has its `reason`.
"""

import csv
import io
from collections.abc import Iterator

from tonegap.report.model import Difference, Leaderboard, Mean, Row, Table, View
from tonegap.score.tables import ALL, GAP, WORST, metric_named

COLUMNS = (
    "task", "data_set", "stand_in", "drawn", "subset", "method", "baseline", "backbone", "variant",
    "control", "marks", "seeds_declared", "seeds_finished", "unranked",
    "selection", "axis", "metric", "larger_is_better", "tone",
    "mean", "low", "high", "n_low", "n_high", "reason",
    "change_from_reference", "oracle_minus_validation", "rank",
)  # fmt: skip
_Line = tuple[str | int | float | None, ...]


def render_csv(board: Leaderboard) -> str:
    """The CSV, UTF-8 with LF; the same board gives the same text.

    `rank` stands on the line of the score that ranks and nowhere else.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for table in board.tables:
        for row in table.all_rows:
            writer.writerows(_lines(board, table, row))
    return text.getvalue()


def _lines(board: Leaderboard, table: Table, row: Row) -> Iterator[_Line]:
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


def _who(table: Table, row: Row) -> _Line:
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


def _mean(mean: Mean) -> _Line:
    return mean.value, mean.low, mean.high, mean.n_low, mean.n_high, mean.reason
