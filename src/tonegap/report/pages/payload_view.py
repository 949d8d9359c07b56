"""One view of a table by columns, for the page's script.

A score is the number that is printed, in tenths of a percent; an undefined one is the number of its reason,
as text; null does not apply. A column that applies to no row is left out.
"""

from collections.abc import Sequence

import numpy as np

from tonegap.report.phrases import tenths
from tonegap.results.model import Difference, Mean, View

Value = int | str | None
Column = list[Value]
_Item = Mean | Difference | None


class Reasons(dict[str, int]):
    """Numbers reasons as they come, each once."""

    def __missing__(self, reason: str) -> int:
        found = self[reason] = len(self)
        return found


def view_columns(views: Sequence[View | None], reasons: Reasons) -> dict[str, object]:
    """`columns` by name for the rows that have the view; `rows` numbers those unless all have it."""
    there = [i for i, view in enumerate(views) if view is not None]
    present = [view for view in views if view is not None]
    columns = _columns(present, reasons)
    kept = {name: found for name, found in columns.items() if any(v is not None for v in found)}
    return {"columns": kept} | ({} if len(there) == len(views) else {"rows": there})


def _columns(views: Sequence[View], reasons: Reasons) -> dict[str, Column]:
    scores = [view.scores for view in views]
    found: dict[str, Column] = {}
    _add(found, "all", [s.overall for s in scores], reasons)
    _add(found, "worst", [s.worst for s in scores], reasons)
    found["worstAt"] = ["/".join(s.worst_at) or None for s in scores]
    _add(found, "gap", [s.gap for s in scores], reasons)
    for i in range(max((len(s.tones) for s in scores), default=0)):
        _add(found, f"tone{i}", [s.tones[i] if s.tones else None for s in scores], reasons)
    changes = [view.comparison for view in views]
    found["dAll"] = _column([c.overall if c else None for c in changes], reasons)
    found["dWorst"] = _column([c.worst if c else None for c in changes], reasons)
    found["dGap"] = _column([c.gap if c else None for c in changes], reasons)
    found["oracle"] = _column([view.under_test_oracle for view in views], reasons)
    found["gain"] = _column([view.cross_fitted for view in views], reasons)
    return found


def _add(
    found: dict[str, Column], name: str, means: Sequence[Mean | None], reasons: Reasons
) -> None:
    """A score, and the ends of its range over seeds."""
    found[name] = _column(means, reasons)
    found[f"{name}Low"] = _printed([mean.low if mean else None for mean in means])
    found[f"{name}High"] = _printed([mean.high if mean else None for mean in means])


def _column(items: Sequence[_Item], reasons: Reasons) -> Column:
    values = [item.value if item else None for item in items]
    column = _printed(values)
    if None in values:
        for i, item in enumerate(items):
            if item and item.value is None:
                column[i] = str(reasons[item.reason or ""])
    return column


def _printed(values: Sequence[float | None]) -> Column:
    """What is printed for each value, in tenths of a percent."""
    exact = np.array(values, dtype=np.float64) * 100 * 10  # None becomes NaN
    known = np.isfinite(exact)
    rounded = np.rint(np.where(known, exact, 0)).astype(np.int64)
    column: Column = rounded.tolist()
    # Close to a tie the last bit decides, and the printed text is right.
    ties = np.abs(np.abs(exact - np.floor(exact)) - 0.5) < 1e-6
    for i in np.flatnonzero(ties | ~known).tolist():
        value = values[i]
        column[i] = None if value is None else tenths(value)
    return column
