"""Whether entries on a bank kept in half precision rank as the same entries do in single precision.

The mistake it exists to prevent: an order of entries that rounding of features decided.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np

from tonegap.results.model import Row

_ALONE = "its features are kept in half precision, and the same entry in single precision is not in the table"
_OTHERWISE = "its features are kept in half precision, in which these entries rank otherwise than in single precision"


def half_checked(rows: Sequence[Row], place: Callable[[Row], int | None]) -> list[Row]:
    """The rows; those on a bank in half precision have no rank unless their order is that in single precision.

    `place` is where a row's score stands (None: nowhere). A twin has the same method, baseline and backbone.
    """
    half = [row for row in rows if _precision(row) == "fp16"]
    whole = {_question(row): row for row in rows if _precision(row) == "fp32"}
    twins = [(row, whole[_question(row)]) for row in half if _question(row) in whole]
    places = [(place(row), place(twin)) for row, twin in twins]
    known = [(one, other) for one, other in places if one is not None and other is not None]
    alike = all(np.sign(a[0] - b[0]) == np.sign(a[1] - b[1]) for a, b in combinations(known, 2))
    why = {row.entry: _OTHERWISE if _question(row) in whole else _ALONE for row in half}
    kept = {row.entry for row, _ in twins} if alike else set()
    return [
        replace(row, unranked=row.unranked or why[row.entry])
        if row.entry in why and row.entry not in kept
        else row
        for row in rows
    ]


def _precision(row: Row) -> str:
    """That of the bank, "" for an entry on images."""
    banks = [record.bank for record in row.records if record.bank]
    return str(banks[0].parameters.get("precision", "")) if banks else ""


def _question(row: Row) -> tuple[str, str, str]:
    return row.entry.method, row.entry.baseline, row.entry.backbone
