"""Says what a leaderboard's table shows in sentences, the same in every format.

The mistake it exists to prevent: a levelled-down or chance result that reads like a win.
"""

from tonegap.lines import counted
from tonegap.report.phrases import (
    metric_label,
    named,
    p_text,
    percent,
    percent_range,
    points,
    points_range,
    spread,
)
from tonegap.results.board import Leaderboard
from tonegap.results.claims import RowClaims
from tonegap.results.model import LeaderboardTable, Row, View
from tonegap.results.ranking import SHRUNKEN
from tonegap.results.verdict import behind_controls, verdict
from tonegap.scores.evidence.intervals import ONE_RUN
from tonegap.scores.tables import ALL, GAP, WORST

_NAMED = 4


def answer(board: Leaderboard, table: LeaderboardTable) -> tuple[str, ...]:
    """What the table says, in sentences: first whether any entry is better than the controls, then which is best."""
    ranked = [row for row in table.rows if row.rank is not None]
    if not ranked:
        return ("No entry can be ranked yet; the table says why for each.",)
    first = [row for row in ranked if row.rank == 1]
    view = first[0].views[table.ranked]
    sentences = [*_verdict(board, table), _best(first, view, board, table)]
    if len(first) == 1:
        sure = _claims_of(first[0], table, board)
        sentences += _against_reference(first[0], board, table.ranked, sure)
        sentences += (
            _ties(sure, table, board) if sure else _overlap_over_seeds(ranked, table, board)
        )
    sentences += _above_controls(table, board)
    return tuple(sentences)


def _verdict(board: Leaderboard, table: LeaderboardTable) -> list[str]:
    """Which entries are significantly better than the best control; nothing where no control has a score."""
    claims = board.claims_of(table)
    found = verdict(claims, board.settings) if claims else None
    if found is None:
        return []
    what = f"{'worst-tone ' if found.score == WORST else ''}{metric_label(table.ranked[2])}"
    if not found.n:
        return [
            f"No entry is called better than the best control, {found.control}: each was trained once."
        ]
    if not found.better:
        return [
            f"No entry is significantly better than the best control, {found.control}, in {what}."
        ]
    lead, others = found.better[0], len(found.better) - 1
    label = next((named(r) for r in table.rows if r.entry.label == lead.label), lead.label)
    more = f"; so {'is' if others == 1 else 'are'} {counted(others, 'other')}" if others else ""
    ends = points_range(lead.low, lead.high)
    return [
        f"{label} is significantly better than the best control, {found.control}, in {what}: "
        f"{points(lead.difference)} points ({ends}; p {p_text(lead.p)}, corrected for "
        f"{'1 entry' if found.n == 1 else f'{found.n} entries'}){more}."
    ]


def _best(first: list[Row], view: View, board: Leaderboard, table: LeaderboardTable) -> str:
    metric = table.ranked[2]
    names = " and ".join(map(named, first))
    verb = "share" if len(first) > 1 else "has"
    scores, label = view.scores, metric_label(metric)
    if not (board.settings.by_worst(metric) and scores.worst):
        return f"{names} {verb} the best {label}: {percent(scores.overall.value)} %."
    at = "" if len(first) > 1 else f" ({' or '.join(scores.worst_at)})"
    shrunken = first[0].shrunken
    if table.ranking.by == SHRUNKEN and shrunken:
        at = (
            ""
            if len(first) > 1
            else f" ({' or '.join(shrunken.worst_at)}; as measured {percent(scores.worst.value)} %)"
        )
        return f"{names} {verb} the best worst-tone {label} after shrinkage: {percent(shrunken.worst)} %{at}."
    return f"{names} {verb} the best worst-tone {label}: {percent(scores.worst.value)} %{at}."


def _claims_of(row: Row, table: LeaderboardTable, board: Leaderboard) -> RowClaims | None:
    claims = board.claims_of(table)
    found = (r for r in claims.rows if r.row.entry == row.entry) if claims else iter(())
    return next((r for r in found if r.tie_group is not None), None)


def _ties(sure: RowClaims, table: LeaderboardTable, board: Leaderboard) -> list[str]:
    """The interval of the best entry's score, and which other entries are statistically tied with it."""
    by_worst_tone = board.settings.by_worst(table.ranked[2])
    what = "worst-tone score" if by_worst_tone else "score"
    interval = sure.shown.get(WORST if by_worst_tone else ALL)
    found = []
    if interval and interval.low is not None and interval.high is not None:
        ends = percent_range(interval.low, interval.high).replace(" to ", " and ")
        of = (
            "of these networks on" if sure.trained_once else "of the method, over training runs and"
        )
        found.append(f"The {what} {of} all such images lies between {ends} % (95 % interval).")
    if sure.trained_once:
        return [*found, f"{ONE_RUN.capitalize()}, so no entry is called better than another."]
    claims = board.claims_of(table)
    others = [r for r in claims.rows if r.tie_group is not None and r is not sure] if claims else []
    tied = [named(r.row) for r in others if r.tie_group == sure.tie_group]
    if tied:
        return [
            *found,
            f"By its lead alone it is statistically tied with {_named(tied)}: their order may be chance.",
        ]
    if others:
        found.append(
            "By its lead alone it is significantly different from every other entry that has an interval."
        )
    return found


def _named(labels: list[str]) -> str:
    """`a, b and c`, or `a, b and 5 more`."""
    shown = labels if len(labels) <= _NAMED else labels[: _NAMED - 1]
    left = len(labels) - len(shown)
    parts = [*shown, f"{left} more"] if left else shown
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _against_reference(
    row: Row, board: Leaderboard, ranked: tuple[str, str, str], sure: RowClaims | None
) -> list[str]:
    view, metric = row.views[ranked], ranked[2]
    scores, change = view.scores, view.comparison
    if scores.gap is None:
        return []
    gap = f"Its {metric_label(metric)} differs by {percent(scores.gap.value)} points between tones"
    if change is None:
        return [f"{gap}. It is the reference itself: no other entry ranks above it."]
    if change.gap is None or change.gap.value is None:
        return [f"{gap}; there is no reference to compare with."]
    reference = board.settings.reference.label
    text = f"{gap}, {_moved(change.gap.value, 'less', 'more')} than with {reference}{_p(sure, GAP)}"
    if change.worst and change.worst.value is not None:
        text += (
            f"; its worst tone is {_moved(change.worst.value, 'lower', 'higher')}{_p(sure, WORST)}"
        )
    levelling = " The smaller gap comes with a worse worst tone, both significant: levelling down."
    return [text + "." + (levelling if "levelling down" in row.marks else "")]


def _p(sure: RowClaims | None, score: str) -> str:
    """` (corrected p 0.034)` of a change from the reference; empty where there is none."""
    change = sure.changes.get(score) if sure else None
    return f" (corrected p {p_text(change.p)})" if change else ""


def _moved(value: float, down: str, up: str) -> str:
    """`6.3 points less`, or `no different` where it would print as 0.0."""
    if points(value) == "0.0":
        return f"0.0 points {up}"
    return f"{percent(abs(value))} points {up if value > 0 else down}"


def _overlap_over_seeds(
    ranked: list[Row], table: LeaderboardTable, board: Leaderboard
) -> list[str]:
    """Whether the first two overlap over seeds."""
    best = board.rank_mean(ranked[0], table)
    if best.low is None:
        return [f"{ONE_RUN.capitalize()}."]
    what = "worst-tone score" if board.settings.by_worst(table.ranked[2]) else "score"
    text = f"Over {len(best.values)} seeds its {what} ranges from {spread(best)}"
    if len(ranked) < 2:
        return [text + "."]
    second = board.rank_mean(ranked[1], table)
    overlap = best.overlaps(second)
    if overlap is None:
        return [text + "."]
    next_range = f"that of the next entry, {named(ranked[1])} ({spread(second)})"
    if not overlap:
        return [f"{text} and does not overlap {next_range}."]
    return [f"{text} and overlaps {next_range}: their order may be chance."]


def _above_controls(table: LeaderboardTable, board: Leaderboard) -> list[str]:
    """How many entries do not rise above the best control."""
    found = behind_controls(board, table)
    if found is None:
        return ["No control has a score, so nothing here can be read against chance."]
    best = f"the best control, {named(found.control)} ({percent(found.value)})"
    if table.ranking.by == SHRUNKEN:
        best += (
            ", as measured"  # what is shrunken is shrunken towards entries, and controls are none
        )
    if found.n:
        verb = "is" if found.n == 1 else "are"
        return [
            f"By the numbers alone, {found.n} of {table.n_ranked} ranked entries {verb} not ahead of {best}."
        ]
    return [f"By the numbers alone, every ranked entry is ahead of {best}."]
