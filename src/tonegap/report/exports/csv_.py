"""Writes a leaderboard as a tidy CSV: one line per entry × task × selection × axis × metric × tone.

Scores are fractions, means over seeds; an empty `mean` has its `reason`. `low` and `high` are the range over seeds, in
which the worst tone and the gap of the means need not lie. `interval_…`: the 95 % interval of the method, `networks_…`
that of these trained networks, on the lines of the metric that ranks. `null_…`: what the score is if tones are alike
(see `nulls`), by the rule and on the axis that rank. A text that a spreadsheet would take for a formula begins with
an apostrophe here, and only here.
"""

import csv
import io
from collections.abc import Callable, Iterator
from itertools import islice

from tonegap.formats.record import EntryId
from tonegap.results.board import Leaderboard
from tonegap.results.claims import Claims, RowClaims
from tonegap.results.model import Difference, LeaderboardTable, Mean, Row, View
from tonegap.results.nulls import NULL_COLUMNS, null_cells
from tonegap.results.ranking import SHRUNKEN
from tonegap.scores.rules import MOST_PROBABLE
from tonegap.scores.tables import ALL, GAP, OF_CALLS, OF_EVENT, WORST, metric_named
from tonegap.spreadsheet import safe_cell

INTERVAL_COLUMNS = ("interval_low", "interval_high", "networks_low", "networks_high")
COLUMNS = (
    "task", "data_set", "stand_in", "drawn", "subset", "exclusions", "method", "baseline", "backbone", "variant",
    "postprocessor", "control", "marks", "exposure", "seeds_declared", "seeds_finished", "unranked",
    "selection", "axis", "metric", "larger_is_better", "positive", "threshold", "tone",
    "mean", "low", "high", "n_low", "n_high", "reason",
    "change_from_reference", "under_test_oracle", "cross_fitted_gain", "rank", "ranked_by", "ranked_because",
    *INTERVAL_COLUMNS, *NULL_COLUMNS,
)  # fmt: skip
TidyLine = tuple[str | int | float | None, ...]
Batch = list[TidyLine]
_BATCH = 20_000


def csv_pieces(board: Leaderboard, each: Callable[[Batch], None] | None = None) -> Iterator[bytes]:
    """The CSV in UTF-8 bit by bit, for a file: that of 2,000 rows has 100 MB.

    `each` is handed the lines as well, so that another file of them need not make them again.
    """
    texts = _Texts()
    yield _written([COLUMNS], texts)
    for batch in tidy_batches(board):
        if each:
            each(batch)
        yield _written(batch, texts)


class _Texts(dict[str, str]):
    """Texts as cells of a CSV, each quoted once: a large report has millions, and few different ones."""

    def __missing__(self, text: str) -> str:
        out = io.StringIO()
        # Before another cell, as a line of nothing but an empty text is written with quotes.
        csv.writer(out, lineterminator="\n").writerow([safe_cell(text), ""])
        found = self[text] = out.getvalue().removesuffix(",\n")
        return found


def _written(lines: Batch, texts: _Texts) -> bytes:
    """What `csv.writer` makes of the lines, in half the time."""
    written = (
        ",".join([texts[c] if type(c) is str else "" if c is None else str(c) for c in line])
        for line in lines
    )
    return "".join(f"{line}\n" for line in written).encode()


def tidy_batches(board: Leaderboard) -> Iterator[Batch]:
    """The lines, aligned with COLUMNS, some thousands at a time; none is empty.

    `rank` stands on the line of the score that ranks and nowhere else.
    """
    lines = (
        line
        for table in board.tables
        for claims in (_claims_by_entry(board.claims_of(table)),)
        for row in table.all_rows
        for line in _lines(table, row, claims.get(row.entry))
    )
    while batch := list(islice(lines, _BATCH)):
        yield batch


def _claims_by_entry(claims: Claims | None) -> dict[EntryId, RowClaims]:
    return {row.row.entry: row for row in claims.rows} if claims else {}


def _lines(table: LeaderboardTable, row: Row, claims: RowClaims | None) -> Iterator[TidyLine]:
    who, no_null = _who(table, row), (None,) * len(NULL_COLUMNS)
    no_interval = (None,) * len(INTERVAL_COLUMNS)
    if not row.views:
        selection, axis, metric = table.ranked
        why = next(s.hole.text for s in row.seeds if s.hole)
        yield (*who, selection, axis, metric, *[None] * 9, why, *[None] * 6, *no_interval, *no_null)
    for (selection, axis, metric), view in row.views.items():
        larger = _yes(metric_named(metric).larger_is_better)
        where = selection, axis, metric, larger, *_event(table, row, selection, metric)
        ranks = (selection, axis, metric) == table.ranked
        of_view = claims.nulls if claims and (selection, axis) == table.ranked[:2] else {}
        for tone, mean, change in _scores(view, table.tones(axis)):
            choices = view.under_test_oracle.value, view.cross_fitted.value
            gains = choices if tone == ALL else (None, None)
            changed = change.value if change else None
            at_parity = null_cells(of_view, metric, tone) if mean.value is not None else no_null
            rank = _rank(table, row, ranks, tone)
            sure = _intervals(claims, tone) if ranks else no_interval
            yield (*who, *where, tone, *_mean(mean), changed, *gains, *rank, *sure, *at_parity)
        if ranks and row.shrunken and view.scores.worst:
            of = view.scores.worst
            shrunken = row.shrunken.worst, None, None, of.n_low, of.n_high, None
            rank = _rank(table, row, ranks, SHRUNKEN)
            rest = (*[None] * 3, *rank, *no_interval, *no_null)
            yield (*who, *where, SHRUNKEN, *shrunken, *rest)


def _intervals(claims: RowClaims | None, tone: str) -> TidyLine:
    """The cells of INTERVAL_COLUMNS."""
    kinds = (claims.intervals, claims.network_intervals) if claims else ({}, {})
    found = [kind.get(tone) for kind in kinds]
    return tuple(end for i in found for end in ((i.low, i.high) if i else (None, None)))


def _event(
    table: LeaderboardTable, row: Row, selection: str, metric: str
) -> tuple[str | None, str | None]:
    """The event's classes where a metric rests on them, and each seed's threshold where it rests on calls."""
    positive = table.question.positive if table.question else ()
    if metric not in OF_EVENT or not positive:
        return None, None
    if metric not in OF_CALLS:
        return ";".join(positive), None
    selected = [r.scores[selection] for r in row.records if selection in r.scores]
    found = [MOST_PROBABLE if s.threshold is None else f"{s.threshold:.6g}" for s in selected]
    return ";".join(positive), ";".join(found)


def _rank(table: LeaderboardTable, row: Row, ranks: bool, tone: str) -> TidyLine:
    """The rank on the line of the score that ranks, by what and why by that; nothing elsewhere."""
    if not ranks or row.rank is None or tone != table.ranking.by:
        return None, None, None
    return row.rank, table.ranking.by, table.ranking.why or None


def _who(table: LeaderboardTable, row: Row) -> TidyLine:
    question, entry = table.question, row.entry
    return (
        table.task,
        question.data_set if question else None,
        _yes(question.stand_in) if question else None,
        _yes(question.drawn) if question else None,
        question.subset if question else None,
        ";".join(question.exclusions) if question else None,
        entry.method,
        entry.baseline,
        entry.backbone,
        entry.variant,
        entry.postprocessor,
        _yes(row.control),
        ";".join(row.marks),
        row.exposure,
        len(row.seeds),
        len(row.records),
        row.unranked,
    )


def _yes(value: bool) -> str:
    return "yes" if value else "no"


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
