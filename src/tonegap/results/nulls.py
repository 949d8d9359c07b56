"""Nulls of a table's rows, for formats: what gaps, ratios and calibration errors are where there is nothing to find."""

from collections.abc import Mapping
from typing import Any

from tonegap.results.claims import RowClaims
from tonegap.scores.evidence.nulls import CALIBRATED, OVER_ALL, WITHIN_CLASS, NullName
from tonegap.scores.evidence.parity import Parity

Nulls = Mapping[NullName, Parity]
_PARTS = ("mean", "low", "high", "p")
NULL_COLUMNS = (
    *(f"null_{part}" for part in _PARTS),
    *(f"null_within_class_{part}" for part in _PARTS),
)


def both_nulls(nulls: Nulls, metric: str, score: str) -> tuple[Parity | None, Parity | None]:
    """The null over all images, or of a calibrated model, of a metric's `all`, tone or `gap`, and that within class."""
    first = nulls.get((metric, score, OVER_ALL)) or nulls.get((metric, score, CALIBRATED))
    return first, nulls.get((metric, score, WITHIN_CLASS))


def null_cells(nulls: Nulls, metric: str, score: str) -> tuple[float | None, ...]:
    """The cells of NULL_COLUMNS."""
    cells: list[float | None] = []
    for null in both_nulls(nulls, metric, score):
        cells += [null.expected, null.low, null.high, null.p] if null else [None] * len(_PARTS)
    return tuple(cells)


def nulls_listed(row: RowClaims) -> list[dict[str, Any]]:
    """The nulls of a row as JSON has them."""
    return [
        {"metric": metric, "score": score, "null": kind, "mean": n.expected, "low": n.low, "high": n.high, "p": n.p}
        for (metric, score, kind), n in row.nulls.items()
    ]  # fmt: skip
