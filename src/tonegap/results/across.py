"""Entries over all tasks of a report: excess over the reference, win rates from joint draws, Pareto fronts.

Photographs and phantom images are kept apart. The mistakes it exists to prevent: a mean of scores over tasks of
unequal difficulty, and a rank test over a handful of data sets.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import friedmanchisquare

from tonegap.arrays import FloatArray
from tonegap.formats.record import EntryId
from tonegap.results.board import Leaderboard
from tonegap.results.claims import Claims, RowClaims
from tonegap.results.comparable import reference_of
from tonegap.results.model import LeaderboardTable
from tonegap.scores.evidence.tie_groups import method_noise
from tonegap.scores.tables import ALL, WORST, metric_named

MIN_DATA_SETS = 6  # fewer carry no rank test: Demšar 2006, JMLR 7, asks for more than five
_LEAST = 2
_APART = 10_000  # so that what seeds do on one task is not what they do on another


@dataclass(frozen=True, slots=True)
class OnTask:
    """An entry on one task: its scores as fractions, their excess over the reference with the same backbone.

    `score` is the worst tone's where the ranked metric has one, else that over all images. Excesses are None for the
    reference itself and where there is none. `on_front`: no other entry is as good in both and better in one.
    """

    overall: float
    score: float
    excess_overall: float | None
    excess: float | None
    on_front: bool


@dataclass(frozen=True, slots=True)
class AcrossRow:
    """An entry over the tasks of a group, None where it has no rank; `win_rate` is (rate, low, high), or `why` not.

    The rate is the share of other entries that it beats (ties count half), averaged over the tasks of a data set and
    then over data sets; low to high holds 95 % of joint draws of test images and training seeds.
    """

    entry: EntryId
    tasks: tuple[OnTask | None, ...]
    win_rate: tuple[float, float, float] | None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Across:
    """The tasks of one kind of images and the entries that rank in two of them or more, best win rate first.

    Data sets that share images (a part, a joined one) count as one. `p`: of Friedman's test that entries do not differ,
    over data sets; None below six of them or three entries.
    """

    phantom: bool
    tables: tuple[LeaderboardTable, ...]
    rows: tuple[AcrossRow, ...]
    n_data_sets: int
    p: float | None


def across(board: Leaderboard) -> tuple[Across, ...]:
    """One for photographs and one for phantom images, as far as two tasks or more have entries in common."""
    found = []
    for phantom in (False, True):
        claims = [
            c
            for c in board.claims
            if c.table.question and (c.table.question.drawn or c.table.question.stand_in) is phantom
        ]
        if len(claims) >= _LEAST and (made := _across(board, claims, phantom)).rows:
            found.append(made)
    return tuple(found)


def _across(board: Leaderboard, claims: Sequence[Claims], phantom: bool) -> Across:
    rows = [_ranked(one) for one in claims]
    known = dict.fromkeys(entry for found in rows for entry in found)
    shared = [entry for entry in known if sum(entry in found for found in rows) >= _LEAST]
    everywhere = [entry for entry in shared if all(entry in found for found in rows)]
    data_sets = [one.table.task.partition("/")[0] for one in claims]
    blocks = [board.settings.image_sources.get(name, name) for name in data_sets]
    rates = _win_rates(rows, everywhere, blocks, [_sign(one) for one in claims])
    on = [_on_task(board, one, found) for one, found in zip(claims, rows, strict=True)]
    lines = []
    for entry in shared:
        n = sum(entry in found for found in rows)
        why = (
            f"ranks in {n} of {len(rows)} tasks"
            if entry not in everywhere
            else "no other entry ranks in all tasks"
            if len(everywhere) < _LEAST
            else "trained once on a task"
        )
        rate = rates.get(entry)
        lines.append(AcrossRow(entry, tuple(o.get(entry) for o in on), rate, "" if rate else why))
    lines.sort(key=lambda row: -row.win_rate[0] if row.win_rate else 1)
    p = _friedman(rows, everywhere, blocks, [_sign(one) for one in claims])
    return Across(phantom, tuple(c.table for c in claims), tuple(lines), len(set(blocks)), p)


def _ranked(claims: Claims) -> dict[EntryId, RowClaims]:
    return {
        row.row.entry: row
        for row in claims.rows
        if row.row.rank is not None and np.isfinite(row.evidence.drawn.point[_score(row)])
    }


def _score(row: RowClaims) -> str:
    return WORST if WORST in row.evidence.drawn.point else ALL


def _sign(claims: Claims) -> float:
    return 1.0 if metric_named(claims.table.ranked[2]).larger_is_better else -1.0


def _on_task(
    board: Leaderboard, claims: Claims, rows: Mapping[EntryId, RowClaims]
) -> dict[EntryId, OnTask]:
    sign = _sign(claims)
    points = {
        entry: (float(row.evidence.drawn.point[ALL]), float(row.evidence.drawn.point[_score(row)]))
        for entry, row in rows.items()
    }
    found = {}
    for entry, (overall, score) in points.items():
        reference = reference_of(entry, board.settings.reference, points.keys())
        against = points[reference] if reference and reference != entry else None
        better = (
            sign * o >= sign * overall and sign * s >= sign * score and (o, s) != (overall, score)
            for o, s in points.values()
        )
        found[entry] = OnTask(
            overall,
            score,
            against and overall - against[0],
            against and score - against[1],
            not any(better),
        )
    return found


def _win_rates(
    rows: Sequence[Mapping[EntryId, RowClaims]],
    entries: Sequence[EntryId],
    blocks: Sequence[str],
    signs: Sequence[float],
) -> dict[EntryId, tuple[float, float, float]]:
    """Each entry's mean win rate and the range of 95 % of joint draws; none with an entry that was trained once."""
    if len(entries) < _LEAST:
        return {}
    by_block: dict[str, list[FloatArray]] = {}
    for t, (found, block, sign) in enumerate(zip(rows, blocks, signs, strict=True)):
        scores = []
        for i, entry in enumerate(entries):
            drawn = found[entry].evidence.drawn
            score = _score(found[entry])
            if found[entry].trained_once:
                return {}
            point = drawn.point[score]
            scores.append(
                sign * np.concatenate([[point], point + method_noise(drawn, score, i + _APART * t)])
            )
        by_block.setdefault(block, []).append(_beaten(np.array(scores)))
    # The first column is of the scores as they are, the others of the draws.
    rates = np.mean([np.mean(tasks, axis=0) for tasks in by_block.values()], axis=0)
    low, high = np.nanquantile(rates[:, 1:], [0.025, 0.975], axis=1)
    return {
        entry: (float(rates[i, 0]), float(low[i]), float(high[i]))
        for i, entry in enumerate(entries)
    }


def _beaten(scores: FloatArray) -> FloatArray:
    """The share of the others that each entry beats in each draw, ties counting half, [entries, draws]."""
    ahead = (scores[:, None] > scores[None]) + 0.5 * (scores[:, None] == scores[None])
    found: FloatArray = (ahead.sum(axis=1) - 0.5) / (len(scores) - 1)
    return np.where(np.isfinite(scores).all(axis=0), found, np.nan)


def _friedman(
    rows: Sequence[Mapping[EntryId, RowClaims]],
    entries: Sequence[EntryId],
    blocks: Sequence[str],
    signs: Sequence[float],
) -> float | None:
    """The p of Friedman's test over data sets, each the mean of its tasks."""
    if len(set(blocks)) < MIN_DATA_SETS or len(entries) < 3:
        return None
    means: dict[str, list[list[float]]] = {}
    for found, block, sign in zip(rows, blocks, signs, strict=True):
        scores = [sign * found[e].evidence.drawn.point[_score(found[e])] for e in entries]
        means.setdefault(block, []).append(scores)
    by_entry = np.array([np.mean(tasks, axis=0) for tasks in means.values()]).T
    return float(friedmanchisquare(*by_entry).pvalue)
