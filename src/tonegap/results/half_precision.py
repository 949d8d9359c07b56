"""Checks that entries on a bank kept in half precision rank as the same entries do in single precision.

The mistake it exists to prevent: an order of entries that rounding of features decided.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from tonegap.formats.record import EntryId
from tonegap.results.model import Row

_HALF = "its features are kept in half precision, "
_ALONE = _HALF + "and the same entry in single precision is not in the table"
_UNKNOWN = _HALF + "and the same entry in single precision has no rank to compare with"
_OTHERWISE = _HALF + "in which it ranks otherwise among the others than in single precision"


def half_checked(rows: Sequence[Row], place: Callable[[Row], int | None]) -> list[Row]:
    """The rows; one on a bank in half precision has no rank unless all others stand to it as to its twin.

    `place` is where a row stands by what ranks (None: nowhere; such a row is left as it is). A twin is the entry in
    single precision with the same plug-ins and, but for the precision, the same parameters. Of another row in half
    precision the place in half is compared with its own, that of its twin with the twin's.
    """
    placed = [(row, at) for row in rows if (at := place(row)) is not None]
    half = [(row, at) for row, at in placed if _precision(row) == "fp16"]
    twins = {row.entry: _twin(row, rows, place) for row, _ in half}
    whole = {entry: place(twin) for entry, twin in twins.items() if twin}
    # Where each row stands, and where it would with every bank in single precision.
    both = [(row, at, whole.get(row.entry) if row.entry in twins else at) for row, at in placed]
    why: dict[EntryId, str] = {}
    for row, at in half:
        twin, single = twins[row.entry], whole.get(row.entry)
        if twin is None or single is None:
            why[row.entry] = _UNKNOWN if twin else _ALONE
        elif any(
            np.sign(at - now) != np.sign(single - then)
            for other, now, then in both
            if then is not None and other.entry not in {row.entry, twin.entry}
        ):
            why[row.entry] = _OTHERWISE
    return [replace(row, unranked=why[row.entry]) if row.entry in why else row for row in rows]


def _twin(row: Row, rows: Sequence[Row], place: Callable[[Row], int | None]) -> Row | None:
    """The row's entry in single precision, one with a place before one without; None where there is none."""
    asked = _question(row)
    found = [other for other in rows if _precision(other) == "fp32" and _question(other) == asked]
    return min(found, key=lambda other: place(other) is None, default=None)


def _precision(row: Row) -> str:
    """That of the bank, "" for an entry on images."""
    banks = [record.bank for record in row.records if record.bank]
    return str(banks[0].parameters.get("precision", "")) if banks else ""


def _question(row: Row) -> tuple[object, ...]:
    """All that an entry is, but for the precision and for the name of its variant."""
    record, entry = row.records[0], row.entry
    parameters = record.plugin_parameters.values()
    but = [{k: v for k, v in of.items() if k != "precision"} for of in parameters]
    return record.plugins, entry.backbone, but
