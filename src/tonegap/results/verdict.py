"""Answers the first question to a table: is any entry better than the controls, and by how much; finds sure ranks."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tonegap.declared.report_settings import LeaderboardSettings
from tonegap.formats.record import EntryId
from tonegap.results.board import Leaderboard
from tonegap.results.claims import Claims, RowClaims
from tonegap.results.model import LeaderboardTable, Row
from tonegap.scores.evidence.comparing import compare_entries, holm_steps
from tonegap.scores.evidence.intervals import LEVEL
from tonegap.scores.tables import ALL, WORST, metric_named


@dataclass(frozen=True, slots=True)
class Lead:
    """By how much an entry is better than the best control, with the interval at the level it is tested at."""

    label: str
    difference: float
    low: float
    high: float
    p: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """Ranked entries against the best control, by the score that they are compared by.

    `n`: entries that could be compared (0: all were trained once, or tested on other images); `better`: those that are
    significantly better at the 5 % level, best rank first, p corrected for all of them (Holm).
    """

    score: str
    control: str
    n: int
    better: tuple[Lead, ...]


@dataclass(frozen=True, slots=True)
class Behind:
    """The best control, its score as measured, and how many ranked entries are not ahead of it, by numbers alone."""

    control: Row
    value: float
    n: int


def verdict(claims: Claims, settings: LeaderboardSettings) -> Verdict | None:
    """The verdict of a table; None where no control or no ranked entry has such a score."""
    metric = claims.table.ranked[2]
    score = WORST if settings.by_worst(metric) else ALL
    larger = metric_named(metric).larger_is_better
    controls = [row for row in claims.rows if row.row.control and _point(row, score) is not None]
    ranked = [row for row in claims.rows if row.tie_group is not None]
    if not (controls and ranked):
        return None
    best = (max if larger else min)(controls, key=lambda row: _point(row, score) or 0.0)
    control, able = best.evidence.drawn, []
    for row in ranked:
        own = row.evidence.drawn
        found = compare_entries(own, control, score) if own.images == control.images else None
        if found is not None:
            able.append((row, found))
    p, times = holm_steps(np.array([found.p for _, found in able]))
    leads = []
    for (row, found), corrected, n_times in zip(able, p.tolist(), times.tolist(), strict=True):
        if (found.difference > 0) == larger and corrected < 1 - LEVEL:
            low, high = found.at_level_of(n_times)
            leads.append(Lead(row.row.entry.label, found.difference, low, high, corrected))
    return Verdict(score, best.row.entry.label, len(able), tuple(leads))


def behind_controls(board: Leaderboard, table: LeaderboardTable) -> Behind | None:
    """How a table's ranked entries stand to its best control; None where no control has a score."""
    controls = [row for row in table.controls if table.ranked in row.views]
    scored = [(v, row) for row in controls if (v := board.rank_mean(row, table).value) is not None]
    if not scored:
        return None
    larger = metric_named(table.ranked[2]).larger_is_better
    bar, control = (max if larger else min)(scored, key=lambda p: (p[0], p[1].entry.label))
    ranked = (board.rank_mean(row, table).value for row in table.rows if row.rank is not None)
    n = sum(v is not None and (v <= bar if larger else v >= bar) for v in ranked)
    return Behind(control, bar, n)


def rank_ranges(claims: Claims | None) -> Mapping[EntryId, tuple[int, int]]:
    """The first and last rank in the tie group of each ranked entry: within it the order may be chance.

    Entries that were trained once have none: nothing says how another run would differ.
    """
    groups: dict[int, list[RowClaims]] = {}
    for row in claims.rows if claims else ():
        if row.tie_group is not None and row.row.rank is not None and not row.trained_once:
            groups.setdefault(row.tie_group, []).append(row)
    return {
        row.row.entry: (min(ranks), max(ranks))
        for rows in groups.values()
        for ranks in ([row.row.rank or 0 for row in rows],)
        for row in rows
    }


def _point(row: RowClaims, score: str) -> float | None:
    point = row.evidence.drawn.point.get(score)
    return point if point is not None and np.isfinite(point) else None
