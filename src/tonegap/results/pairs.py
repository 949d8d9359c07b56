"""The entries of a table against each other, in every metric that the report shows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tonegap.arrays import FloatArray
from tonegap.formats.record import EntryId
from tonegap.results.model import LeaderboardTable, Mean, Row
from tonegap.scores.evidence.comparing import ALPHA
from tonegap.scores.evidence.entries import EntryEvidence
from tonegap.scores.evidence.every_score import EveryScore, ScoreName
from tonegap.scores.evidence.pairs import Pairs, compare_all
from tonegap.scores.tables import ALL, GAP, WORST, largest_difference


@dataclass(frozen=True, eq=False)
class TablePairs:
    """Rows that were compared, the scores (metric and tone) they were compared in, and all pairs of them.

    `point` [rows, scores] has the table's own numbers, NaN where undefined; `pairs` follow the order of `rows`.
    """

    rows: tuple[Row, ...]
    names: tuple[ScoreName, ...]
    point: FloatArray
    pairs: Pairs

    def index(self, one: int, other: int) -> int:
        """Where the pair of two rows stands, the first of them before the second."""
        n = len(self.rows)
        return one * (2 * n - one - 1) // 2 + other - one - 1

    def n_significant(self, score: int) -> int:
        """How many pairs are significantly different in one of the scores, p corrected for all tests."""
        return int((self.pairs.p[:, score] < ALPHA).sum())

    @property
    def n_tests(self) -> int:
        """How many tests p was corrected for: all pairs in all scores that could be compared."""
        return int(np.isfinite(self.pairs.p).sum())


def table_pairs(
    table: LeaderboardTable, evidence: Mapping[EntryId, EntryEvidence]
) -> TablePairs | None:
    """All pairs of the entries that have a rank and evidence; None if there are fewer than two."""
    found = [(row, evidence[row.entry].scores) for row in table.rows if row.entry in evidence]
    able = [(row, scores) for row, scores in found if scores and row.rank is not None]
    if len(able) < 2:
        return None
    # The scores of the table's metrics, in its order.
    known = able[0][1].names
    names = tuple(name for metric in table.metrics for name in known if name[0] == metric)
    rows = tuple(row for row, _ in able)
    point = np.array([[score_of(row, table, name) for name in names] for row in rows])
    largest = np.array([largest_difference(metric) for metric, _ in names])
    own = []
    for _, scores in able:
        at = [scores.names.index(name) for name in names]
        own.append(EveryScore(names, scores.draws[at], scores.images, scores.noise.among(at)))
    return TablePairs(rows, names, point, compare_all(point, own, largest))


def score_of(row: Row, table: LeaderboardTable, name: ScoreName) -> float:
    """What the table says by the rule and on the axis that rank; NaN where that is undefined."""
    metric, tone = name
    selection, axis, _ = table.ranked
    scores = row.views[selection, axis, metric].scores
    ends: dict[str, Mean | None] = {ALL: scores.overall, WORST: scores.worst, GAP: scores.gap}
    ends |= dict(zip(table.tones(axis), scores.tones, strict=False))
    mean = ends.get(tone)
    return float("nan") if mean is None or mean.value is None else mean.value
