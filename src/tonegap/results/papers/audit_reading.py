"""A table's rows as an audit reads them, under one assumption on its test images; and what it finds.

The mistake it exists to prevent: a verdict without the assumption that it rests on.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np

from tonegap.declared.paper import (
    AssumedSets,
    PaperColumn,
    PaperRow,
    PaperTable,
    Reported,
    parse_reported,
)
from tonegap.scores.evidence.grim import OneSet, Rounded
from tonegap.scores.tables import ALL, GAP, WORST

AuditVerdict = Literal[
    "impossible under named assumptions",
    "improbable under named assumptions",
    "within what equal tones print",
    "beyond what equal tones print",
    "luck not excluded",
    "luck unlikely",
    "possible",
    "not testable",
]
IMPOSSIBLE: AuditVerdict = "impossible under named assumptions"
IMPROBABLE: AuditVerdict = "improbable under named assumptions"
_RATIOS = frozenset({"pqd", "dpm", "eom", "f1", "macro_f1", "auc"})
RARE, ALPHA = 0.01, 0.05
# Images of the largest test set that is searched for.
MOST_SEARCHED = 400


@dataclass(frozen=True, slots=True)
class Finding:
    """What one test says of a cell, a row or a table; `column` and `row` are empty where it speaks of all.

    `assumed` is what the verdict rests on; `p` the chance that it names, if it names one.
    """

    table: str
    row: str
    column: str
    test: str
    verdict: AuditVerdict
    why: str
    assumed: str
    p: float | None = None


@dataclass(slots=True)
class Reading:
    """A table's rows under one assumption: cells as shares by row and column, and what searches found on the way."""

    table: PaperTable
    tests: AssumedSets
    rows: tuple[PaperRow, ...]
    cells: dict[str, dict[str, Rounded]]
    rng: np.random.Generator
    fits: dict[str, list[OneSet]] = field(default_factory=dict)
    sizes: tuple[int, ...] = ()
    positives: tuple[int, ...] = ()
    found: list[Finding] = field(default_factory=list)

    def say(
        self,
        test: str,
        verdict: AuditVerdict,
        why: str,
        row: str = "",
        column: str = "",
        p: float | None = None,
    ) -> None:
        """Adds a finding."""
        self.found.append(
            Finding(self.table.id, row, column, test, verdict, why, self.tests.assumed, p)
        )

    def flagged(self, row: str, column: str = "") -> bool:
        """Whether something in a row, or in that cell of it, was found impossible."""
        return any(
            f.row == row and column in {"", f.column} and f.verdict == IMPOSSIBLE
            for f in self.found
        )

    def columns(self, *metrics: str, by_tone: bool | None = None, gaps: bool = False) -> list[str]:
        """Names of the columns of these metrics; with a tone, without one, or either; with `gaps` also those.

        The worst tone is none of the tones beside it, and a gap is no score.
        """
        return [
            c.name
            for c in self.table.columns
            if c.metric in metrics
            and (gaps or c.tone != GAP)
            and (by_tone is None or ((c.tone != ALL) == by_tone and c.tone != WORST))
        ]

    @property
    def tones(self) -> list[str]:
        """The columns of accuracy by tone, in the table's order."""
        return self.columns("accuracy", by_tone=True)

    def one(self, row: str, metric: str) -> Rounded | None:
        """A row's score over all images, if the table has exactly one column of the metric."""
        names = self.columns(metric, by_tone=False)
        return self.cells[row].get(names[0]) if len(names) == 1 else None

    def of_tones(self, row: str) -> list[Rounded]:
        """A row's accuracies by tone; empty unless all are there."""
        cells = [self.cells[row].get(name) for name in self.tones]
        return [c for c in cells if c] if len(cells) > 1 and all(cells) else []

    def n_by_tone(self, row: str) -> tuple[float, ...]:
        """Images of a row's test set by tone: known, found, or expected of the pool; empty if nothing says it."""
        known = [self.tests.images.get(name, 0) for name in self.tones]
        if known and all(known):
            return tuple(known)
        if self.sizes and (self.tests.sets == 1 or self.fits.get(row)):
            return self.sizes
        if self.tests.pool and self.tests.totals:
            pool = np.array(self.tests.pool).sum(axis=1)
            return tuple((pool / pool.sum() * self.tests.totals[1]).tolist())
        return ()


def read_rows(
    table: PaperTable, tests: AssumedSets, entered: Mapping[tuple[str, str, str], str]
) -> Reading:
    """The rows that an assumption speaks of, cells as shares; a user's `entered` numbers instead of the file's."""
    rows = tuple(row for row in table.rows if not tests.rows or row.name in tests.rows)
    cells: dict[str, dict[str, Rounded]] = {row.name: {} for row in rows}
    for i, column in enumerate(table.columns):
        numbers = {
            row.name: number
            for row in table.rows
            if (
                number := parse_reported(
                    entered.get((table.id, row.name, column.name), row.printed[i])
                )
            )
        }
        unit = _unit(column, table.unit, [number.value for number in numbers.values()])
        if unit != (column.unit or table.unit):
            assumed = f"{tests.assumed}; {column.name} read as {unit}"
            tests = msgspec.structs.replace(tests, assumed=assumed)
        for name in cells.keys() & numbers.keys() if unit != "images" else ():
            cells[name][column.name] = _share(numbers[name], unit)
    return Reading(table, tests, rows, cells, np.random.default_rng(0))


def _unit(column: PaperColumn, unit: str, values: Sequence[float]) -> str:
    """A column's unit: as declared, else the table's, but for ratios whose values are all in the other of the two."""
    some = [value for value in values if value > 0]
    if column.unit or not some or column.metric not in _RATIOS or column.tone == GAP:
        return column.unit or unit
    if unit == "percent" and max(some) <= 1:
        return "fraction"
    return "percent" if unit == "fraction" and min(some) > 1 else unit


def _share(number: Reported, unit: str) -> Rounded:
    scale = 100 if unit == "percent" else 1
    spread, half = (None if x is None else x / scale for x in (number.spread, number.spread_half))
    return Rounded(number.value / scale, number.half / scale, spread, half)


def images_of(r: Reading, row: str) -> dict[str, float]:
    """Images of a row's test set by column of accuracy, where something says it."""
    by_tone = r.n_by_tone(row)
    found = dict(zip(r.tones, by_tone, strict=False))
    whole = r.columns("accuracy", by_tone=False)
    n = r.tests.images.get(whole[0], 0) if len(whole) == 1 else 0
    if len(whole) == 1 and (n or by_tone):
        found[whole[0]] = n or sum(by_tone)
    return found


def share_text(value: float, share: Rounded) -> str:
    """A share with one decimal more than it was reported with, in percent."""
    decimals = max(round(-np.log10(2 * share.half)) - 1, 0)
    return f"{100 * value:.{decimals}f} %"


def chance_text(p: float) -> str:
    """A chance as text, with two or three figures that count."""
    if p < 1e-300:
        return "below 1e-300"
    return f"{p:.2f}" if p >= 0.095 else f"{p:.3f}" if p >= 0.001 else f"{p:.0e}"
