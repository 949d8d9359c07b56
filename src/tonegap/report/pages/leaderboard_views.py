"""Packs every view of a table as compact JSON, which the page's script shows when a reader asks for it.

A score is the number that the page shows, in tenths of a percent; an undefined one is the number of its reason,
as text; null does not apply. The views of a long table are packed, and unpacked one by one.
"""

import base64
import json
import zlib
from collections.abc import Mapping, Sequence

import numpy as np

from tonegap.formats.record import SELECTIONS, EntryId
from tonegap.report.pages.charts import scale_of, tone_colour
from tonegap.report.phrases import (
    AXIS_LABEL,
    SELECTION_CHOICE,
    metric_label,
    n_of_tone,
    shared_marks,
    small_label,
    tenths,
)
from tonegap.results.model import Axis, Difference, LeaderboardTable, Mean, Row, View
from tonegap.scores.tables import metric_named
from tonegap.tones import MONK

_MANY_ROWS = 200


Cell = int | str | None
Column = list[Cell]
_Item = Mean | Difference | None


class Reasons(dict[str, int]):
    """Numbers reasons as they come, each once."""

    def __missing__(self, reason: str) -> int:
        found = self[reason] = len(self)
        return found


def view_columns(views: Sequence[View | None], reasons: Reasons) -> dict[str, object]:
    """`columns` by name for the rows that have the view; `rows` numbers those unless all have it."""
    there = [i for i, view in enumerate(views) if view is not None]
    columns = _columns([view for view in views if view is not None], reasons)
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
    found[f"{name}Low"] = _shown([mean.low if mean else None for mean in means])
    found[f"{name}High"] = _shown([mean.high if mean else None for mean in means])


def _column(items: Sequence[_Item], reasons: Reasons) -> Column:
    values = [item.value if item else None for item in items]
    column = _shown(values)
    if None in values:
        for i, item in enumerate(items):
            if item and item.value is None:
                column[i] = str(reasons[item.reason or ""])
    return column


def _shown(values: Sequence[float | None]) -> Column:
    """What the page shows for each value, in tenths of a percent."""
    exact = np.array(values, dtype=np.float64) * 100 * 10  # None becomes NaN
    known = np.isfinite(exact)
    column: Column = np.rint(np.where(known, exact, 0)).astype(np.int64).tolist()
    # Close to a tie the last bit decides, and the text of `percent` is right.
    ties = np.abs(np.abs(exact - np.floor(exact)) - 0.5) < 1e-6
    for i in np.flatnonzero(ties | ~known).tolist():
        value = values[i]
        column[i] = None if value is None else tenths(value)
    return column


def table_payload(
    table: LeaderboardTable,
    pages: Mapping[EntryId, str],
    ranks: Mapping[EntryId, tuple[int, int]],
    whiskers: Mapping[EntryId, tuple[float, float]],
) -> str:
    """The JSON, safe inside a script element; `pages`: where entries have a page of their own.

    `ranks`: first and last of an entry's tie group; `whiskers`: the worst tone's interval in the view that ranks.
    """
    reasons, shared = Reasons(), shared_marks(table)

    def row_document(row: Row) -> dict[str, object]:
        page, of_group = pages.get(row.entry), ranks.get(row.entry)
        whisker = whiskers.get(row.entry)
        return {
            "label": row.entry.name,
            "method": row.entry.method,
            "baseline": row.entry.baseline,
            **({"postprocessor": row.entry.postprocessor} if row.entry.postprocessor else {}),
            "backbone": row.entry.backbone,
            "exposure": row.exposure,
            "small": small_label(row),
            "full": row.entry.label,
            "marks": [mark for mark in row.marks if mark not in shared],
            "rank": row.rank,
            "unranked": row.unranked,
            "control": row.control,
            "why": None if row.views else next((s.hole.text for s in row.seeds if s.hole), None),
            **({"page": page} if page else {}),
            **({"ranks": of_group} if of_group and of_group[0] != of_group[1] else {}),
            **({"whisker": [tenths(end) for end in whisker]} if whisker else {}),
        }

    metrics = [metric_named(name) for name in table.metrics]
    document = {
        "ranked": "|".join(table.ranked),
        "axes": [_axis(axis, table) for axis in table.axes],
        "metrics": [
            {
                "name": metric.name,
                "label": metric_label(metric.name),
                "larger": metric.larger_is_better,
                "perTone": metric.per_tone,
            }
            for metric in metrics
        ],
        "selections": [{"name": s, "label": SELECTION_CHOICE[s]} for s in SELECTIONS],
        "rows": [row_document(row) for row in table.all_rows],
        "views": {
            "|".join((s, a.name, m)): _view(table, (s, a.name, m), reasons, whiskers)
            for s in SELECTIONS
            for a in table.axes
            for m in table.metrics
        },
        "reasons": list(reasons),
    }
    return script_json(document)


def script_json(document: object) -> str:
    """JSON that is safe inside a script element."""
    return _json(document).replace("<", "\\u003c")


def _json(document: object) -> str:
    return json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def _view(
    table: LeaderboardTable,
    key: tuple[str, str, str],
    reasons: Reasons,
    whiskers: Mapping[EntryId, tuple[float, float]],
) -> object:
    """The scale of a view's charts, which holds all that is drawn, and its columns; packed for a long table."""
    views = [row.views.get(key) for row in table.all_rows]
    ends = [end for both in whiskers.values() for end in both] if key == table.ranked else []
    scale = scale_of([*(t.value for view in views if view for t in view.scores.tones), *ends])
    found = {"scale": [scale.low, scale.high], **view_columns(views, reasons)}
    if key == table.ranked and table.ranking.believed:
        # The shrunken worst tone's score and its name.
        found["shrunken"] = [
            (tenths(row.shrunken.worst), "/".join(row.shrunken.worst_at)) if row.shrunken else None
            for row in table.all_rows
        ]
    if len(views) <= _MANY_ROWS:
        return found
    return base64.b64encode(zlib.compress(_json(found).encode(), 6)).decode()


def _axis(axis: Axis, table: LeaderboardTable) -> dict[str, object]:
    per_tone = next((m for m in table.metrics if metric_named(m).per_tone), table.metrics[0])
    view = (table.ranked[0], axis.name, per_tone)
    return {
        "name": axis.name,
        "label": AXIS_LABEL.get("monk" if set(axis.tones) & set(MONK) else axis.name, axis.name),
        "tones": axis.tones,
        "colours": [tone_colour(tone) for tone in axis.tones],
        "n": [n_of_tone(table, view, i) for i in range(len(axis.tones))],
    }
