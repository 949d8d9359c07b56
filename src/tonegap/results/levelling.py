"""The mark "levelling down": the gap became smaller because the worst tone became worse, and both are significant.

The mistake it exists to prevent: a smaller gap bought with a lower score for the worst tone, sold as progress; and the
word said of a difference that luck makes.
"""

from dataclasses import replace

from tonegap.results.answers import AnswersOf
from tonegap.results.board import Leaderboard
from tonegap.results.claims import Claims, RowClaims, claims_of
from tonegap.results.model import LeaderboardTable
from tonegap.scores.evidence.comparing import ALPHA
from tonegap.scores.tables import GAP, WORST, metric_named

MARK = "levelling down"


def with_claims(board: Leaderboard, answers: AnswersOf) -> Leaderboard:
    """The board with intervals and comparisons from the answers that were kept, and the marks that rest on them."""
    claims = claims_of(board.tables, board.settings, answers)
    marked = {id(c.table): _marked(c) for c in claims}
    return replace(
        board,
        tables=tuple(marked[id(t)].table if id(t) in marked else t for t in board.tables),
        claims=tuple(marked[id(c.table)] for c in claims),
    )


def levels_down(row: RowClaims, table: LeaderboardTable) -> bool:
    """Whether both differences from the reference are significant: the gap smaller, the worst tone worse.

    Without a p of both (nothing kept, one training run) it is not known, and the answer is no.
    """
    view = row.row.views.get(table.ranked)
    change = view.comparison if view else None
    worst, gap = (row.changes.get(score) for score in (WORST, GAP))
    if not (change and change.worst and change.gap and worst and gap):
        return False
    if change.worst.value is None or change.gap.value is None:
        return False
    gain = (
        change.worst.value
        if metric_named(table.ranked[2]).larger_is_better
        else -change.worst.value
    )
    both = all(p is not None and p < ALPHA for p in (worst.p, gap.p))
    return both and gain < 0 and change.gap.value < 0


def _marked(claims: Claims) -> Claims:
    """The claims, and the table in them, with the mark on every row that deserves it."""
    down = {row.row.entry for row in claims.rows if levels_down(row, claims.table)}
    if not down:
        return claims
    rows = {
        row.entry: replace(row, marks=(*row.marks, MARK)) if row.entry in down else row
        for row in claims.table.rows
    }
    table = replace(claims.table, rows=tuple(rows.values()))
    told = tuple(replace(r, row=rows.get(r.row.entry, r.row)) for r in claims.rows)
    return replace(claims, table=table, rows=told)
