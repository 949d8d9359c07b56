"""Computes what the test images of a leaderboard's table can show, at the best accuracy in it."""

from dataclasses import dataclass

from tonegap.results.model import LeaderboardTable
from tonegap.scores.evidence.power import Reach, not_scored, reach

CORRELATION = 0.7  # of whether two entries are right about an image, where nobody says another


@dataclass(frozen=True, slots=True)
class TableReach:
    """The accuracy that it is said for, a fraction between 0.5 and 0.95, and what each tone's images can show."""

    accuracy: float
    tones: tuple[Reach, ...]


def table_reach(table: LeaderboardTable) -> TableReach | None:
    """The tones of the axis that ranks, then those that the task does not score; None without results."""
    selection, axis, _ = table.ranked
    view = (selection, axis, "accuracy")
    rows = [row for row in table.rows if view in row.views and row.views[view].scores.tones]
    means = [row.views[view].scores.overall.value for row in rows]
    values = [value for value in means if value is not None]
    if not values:
        return None
    p = round(min(max(max(values), 0.5), 0.95), 2)
    scores = rows[0].views[view].scores
    n = {tone: mean.n_low for tone, mean in zip(table.tones(axis), scores.tones, strict=True)}
    others = next((record.not_scored for row in rows for record in row.records), {})
    left = (not_scored(tone, count, p) for tone, count in others.items() if tone not in n)
    return TableReach(p, (*reach(n, p, CORRELATION), *left))
