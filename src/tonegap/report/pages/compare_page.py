"""Writes the page that compares any two entries of a table: data for its script, and a matrix to read without it."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from tonegap.arrays import FloatArray
from tonegap.report.exports.protocol import File
from tonegap.report.pages.leaderboard_views import script_json
from tonegap.report.pages.links import COMPARE, ENTRIES, entry_pages, slugs, task_slugs
from tonegap.report.pages.templates import render_template
from tonegap.report.phrases import (
    UNDEFINED,
    metric_label,
    named,
    p_text,
    points,
    points_range,
    table_title,
    tenths,
)
from tonegap.results.board import Leaderboard
from tonegap.results.claims import Claims
from tonegap.results.model import Row
from tonegap.results.pairs import TablePairs
from tonegap.scores.evidence.comparing import ALPHA
from tonegap.scores.evidence.intervals import ONE_RUN
from tonegap.scores.tables import ALL, WORST, metric_named
from tonegap.store.source import ResultSource

_TEMPLATE = "compare.html.j2"
_P_UNITS = 10_000


def files(board: Leaderboard, source: ResultSource | None) -> Iterator[File]:  # noqa: ARG001
    """`compare.html`; nothing where no table has two entries with kept answers.

    Raises BadSuiteFolder if a template is missing or wrong.
    """
    parts = list(_parts(board))
    if parts:
        values = {"board": board, "title": board.settings.title, "parts": parts}
        values |= {"stamps": board.stamps}
        yield COMPARE, [render_template(board.settings, _TEMPLATE, values).encode()]


def _parts(board: Leaderboard) -> Iterator[dict[str, object]]:
    """What the template reads of each table with pairs; p is corrected for `n_tests`, `n_left` entries are left out."""
    places = task_slugs(board)
    for claims in board.claims:
        pairs, metric = claims.pairs, claims.table.ranked[2]
        if pairs is None:
            continue
        tone = WORST if board.settings.by_worst(metric) else ALL
        at = pairs.names.index((metric, tone))
        of = "of the worst tone" if tone == WORST else "over all images"
        yield {
            "id": places[id(claims)],
            "title": table_title(claims.table),
            "score": f"{metric_label(metric)} {of}",
            "n_pairs": len(pairs.pairs.p),
            "n_significant": pairs.n_significant(at),
            "n_tests": pairs.n_tests,
            "n_left": len(claims.table.rows) - len(pairs.rows),
            "rows": pairs.rows,
            "tie_groups": {row.row.entry: row.tie_group for row in claims.rows},
            "matrix": _matrix(pairs, at),
            "payload": script_json(_document(board, claims, pairs)),
        }


def _matrix(table: TablePairs, at: int) -> list[list[tuple[str, str, bool]]]:
    """For each entry against each: the row's minus the column's, a title, whether the two are significantly different.

    Empty on the diagonal.
    """

    def cell(one: int, other: int) -> tuple[str, str, bool]:
        if one == other:
            return "", "", False
        sign = 1 if one < other else -1
        pair = table.index(min(one, other), max(one, other))
        difference, p = sign * float(found.difference[pair, at]), float(found.p[pair, at])
        names = f"{named(table.rows[one])} − {named(table.rows[other])}"
        if np.isnan(difference):
            return UNDEFINED, f"{names}: undefined", False
        if np.isnan(p):
            return points(difference), f"{names}: {ONE_RUN}", False
        ends = sorted((sign * float(found.low[pair, at]), sign * float(found.high[pair, at])))
        return points(difference), f"{names}: {points_range(*ends)}, p {p_text(p)}", p < ALPHA

    found, n = table.pairs, range(len(table.rows))
    return [[cell(one, other) for other in n] for one in n]


def _document(board: Leaderboard, claims: Claims, pairs: TablePairs) -> dict[str, object]:
    """Tenths of a percent and of points; p in ten-thousandths, cut off; null where undefined."""
    table, found = claims.table, pairs.pairs
    low, high = _ends(found.low, found.high)
    return {
        "tones": table.tones(table.ranked[1]),
        "metrics": [
            {
                "name": name,
                "label": metric_label(name),
                "larger": metric_named(name).larger_is_better,
            }
            for name in table.metrics
        ],
        "ranks": WORST if board.settings.by_worst(table.ranked[2]) else ALL,
        "scores": ["|".join(name) for name in pairs.names],
        "entries": _entries(board, claims, pairs.rows),
        "point": _tenths(pairs.point),
        "difference": _tenths(found.difference),
        "low": low,
        "high": high,
        "p": _ten_thousandths(found.p),
    }


def _entries(board: Leaderboard, claims: Claims, rows: Sequence[Row]) -> list[Mapping[str, object]]:
    tie_groups = {row.row.entry: row.tie_group for row in claims.rows}
    pages = entry_pages(board, claims.table)
    return [
        {
            "id": name,
            "label": named(row),
            "rank": row.rank,
            "tie_group": tie_groups.get(row.entry),
            "page": f"{ENTRIES}/{pages[row.entry]}.html" if row.entry in pages else None,
            "reference": "reference" in row.marks,
        }
        for name, row in zip(slugs([row.entry.label for row in rows]), rows, strict=True)
    ]


def _tenths(values: FloatArray) -> list[list[int | None]]:
    return [[tenths(v) if np.isfinite(v) else None for v in row] for row in values.tolist()]


def _ends(low: FloatArray, high: FloatArray) -> tuple[list[list[int | None]], ...]:
    """Both ends of intervals in tenths; those that would be equal are rounded outwards, as none is without width."""
    alike = np.isfinite(low) & (np.round(low * 1000) == np.round(high * 1000))
    return (
        _tenths(np.where(alike, np.floor(low * 1000) / 1000, low)),
        _tenths(np.where(alike, np.ceil(high * 1000) / 1000, high)),
    )


def _ten_thousandths(values: FloatArray) -> list[list[int | None]]:
    return [[int(v * _P_UNITS) if np.isfinite(v) else None for v in row] for row in values.tolist()]
