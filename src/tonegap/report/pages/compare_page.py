"""The page that compares any two entries of a table: data for its script, and a matrix to read without it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.arrays import FloatArray
from tonegap.report.pages.leaderboard_views import script_json
from tonegap.report.pages.links import COMPARE, ENTRIES, entry_pages, labels, slugs, task_slugs
from tonegap.report.pages.templates import render_template
from tonegap.report.phrases import (
    UNDEFINED,
    metric_label,
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

_TEMPLATE = "compare.html.j2"
_P_UNITS = 10_000


@dataclass(frozen=True, slots=True)
class PairCell:
    """The row's entry minus the column's; `significant`: the two are significantly different. Empty on the diagonal."""

    text: str
    title: str
    significant: bool


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One entry against all; `number` names it in the header."""

    number: int
    label: str
    tie_group: int | None
    cells: tuple[PairCell, ...]


@dataclass(frozen=True, slots=True)
class ComparePart:
    """A table's part of the page; p is corrected for `n_tests`, `n_left` entries are not in it."""

    id: str
    title: str
    score: str
    n_pairs: int
    n_significant: int
    n_tests: int
    n_left: int
    matrix: tuple[MatrixRow, ...]
    payload: str


def compare_files(board: Leaderboard) -> dict[str, bytes]:
    """`compare.html`; nothing where no table has two entries with kept answers.

    Raises BadRoom if a template is missing or wrong.
    """
    parts = list(_parts(board))
    if not parts:
        return {}
    values = {"title": board.settings.title, "parts": parts, "stamps": board.stamps}
    return {COMPARE: render_template(board.settings, _TEMPLATE, values).encode()}


def _parts(board: Leaderboard) -> Iterator[ComparePart]:
    places = task_slugs(board)
    for claims in board.claims:
        if claims.pairs is not None:
            yield _part(board, claims, claims.pairs, places[id(claims)])


def _part(board: Leaderboard, claims: Claims, pairs: TablePairs, place: str) -> ComparePart:
    metric = claims.table.ranked[2]
    tone = WORST if board.settings.by_worst(metric) else ALL
    at = pairs.names.index((metric, tone))
    significant = pairs.pairs.p[:, at] < ALPHA
    of = "of the worst tone" if tone == WORST else "over all images"
    return ComparePart(
        id=place,
        title=table_title(claims.table),
        score=f"{metric_label(metric)} {of}",
        n_pairs=len(significant),
        n_significant=int(significant.sum()),
        n_tests=int(np.isfinite(pairs.pairs.p).sum()),
        n_left=len(claims.table.rows) - len(pairs.rows),
        matrix=_matrix(claims, pairs, at),
        payload=script_json(_document(board, claims, pairs)),
    )


def _matrix(claims: Claims, pairs: TablePairs, at: int) -> tuple[MatrixRow, ...]:
    tie_groups = {row.row.entry: row.band for row in claims.rows}
    return tuple(
        MatrixRow(
            number=i + 1,
            label=row.entry.label,
            tie_group=tie_groups.get(row.entry),
            cells=tuple(_cell(pairs, i, j, at) for j in range(len(pairs.rows))),
        )
        for i, row in enumerate(pairs.rows)
    )


def _cell(table: TablePairs, one: int, other: int, at: int) -> PairCell:
    if one == other:
        return PairCell("", "", significant=False)
    sign = 1 if one < other else -1
    pair = table.index(min(one, other), max(one, other))
    found = table.pairs
    difference, p = sign * float(found.difference[pair, at]), float(found.p[pair, at])
    names = f"{table.rows[one].entry.label} − {table.rows[other].entry.label}"
    if np.isnan(difference):
        return PairCell(UNDEFINED, f"{names}: undefined", significant=False)
    if np.isnan(p):
        return PairCell(points(difference), f"{names}: {ONE_RUN}", significant=False)
    ends = sorted((sign * float(found.low[pair, at]), sign * float(found.high[pair, at])))
    title = f"{names}: {points_range(*ends)}, p {p_text(p)}"
    return PairCell(points(difference), title, significant=p < ALPHA)


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
    tie_groups = {row.row.entry: row.band for row in claims.rows}
    pages = entry_pages(board, claims.table)
    return [
        {
            "id": name,
            "label": row.entry.label,
            "rank": row.rank,
            "tie_group": tie_groups.get(row.entry),
            "page": f"{ENTRIES}/{pages[row.entry]}.html" if row.entry in pages else None,
            "reference": "reference" in row.marks,
        }
        for name, row in zip(slugs(labels(rows)), rows, strict=True)
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
