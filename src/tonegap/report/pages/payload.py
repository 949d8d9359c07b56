"""Every view of a table as compact JSON: what the page's script shows when a reader asks for it.

A score is the number that is printed, in tenths of a percent; an undefined one is the number of its reason,
as text; null does not apply. The views of a long table are packed, and unpacked one by one.
"""

import base64
import json
import zlib
from collections.abc import Mapping

from tonegap.formats.record import SELECTIONS, EntryId
from tonegap.report.pages.charts import scale_of
from tonegap.report.pages.payload_view import Reasons, view_columns
from tonegap.report.pages.plots import tone_colour
from tonegap.report.phrases import (
    AXIS_LABEL,
    SELECTION_CHOICE,
    metric_label,
    n_of_tone,
    shared_marks,
    small_label,
    tenths,
)
from tonegap.results.model import Axis, Row, Table
from tonegap.scores.tables import metric_named

_MANY_ROWS = 200


def table_payload(table: Table, pages: Mapping[EntryId, str]) -> str:
    """The JSON, safe inside a script element; `pages`: where entries have a page of their own."""
    reasons = Reasons()
    rows, shared = table.all_rows, shared_marks(table)
    document = {
        "ranked": "|".join(table.ranked),
        "axes": [_axis(axis, table) for axis in table.axes],
        "metrics": [_metric(name) for name in table.metrics],
        "selections": [{"name": s, "label": SELECTION_CHOICE[s]} for s in SELECTIONS],
        "rows": [_row(row, shared) | _link(pages.get(row.entry)) for row in rows],
        "views": {
            "|".join((s, a.name, m)): _view(table, (s, a.name, m), reasons)
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


def _view(table: Table, key: tuple[str, str, str], reasons: Reasons) -> object:
    """The scale of a view's drawings and its columns; packed for a long table."""
    views = [row.views.get(key) for row in table.all_rows]
    scale = scale_of(
        tone.value for view in views[: len(table.rows)] if view for tone in view.scores.tones
    )
    found = {"scale": [scale.low, scale.high], **view_columns(views, reasons)}
    if key == table.ranked and table.ranking.believed:
        found["shrunken"] = [_shrunken(row) for row in table.all_rows]
    if len(views) <= _MANY_ROWS:
        return found
    return base64.b64encode(zlib.compress(_json(found).encode(), 6)).decode()


def _shrunken(row: Row) -> tuple[int, str] | None:
    """The shrunken worst tone's score and its name, of a row of the view that ranks."""
    found = row.shrunken
    return (tenths(found.worst), "/".join(found.worst_at)) if found else None


def _axis(axis: Axis, table: Table) -> dict[str, object]:
    per_tone = next((m for m in table.metrics if metric_named(m).per_tone), table.metrics[0])
    view = (table.ranked[0], axis.name, per_tone)
    return {
        "name": axis.name,
        "label": AXIS_LABEL.get(axis.name, axis.name),
        "tones": axis.tones,
        "colours": [tone_colour(tone) for tone in axis.tones],
        "n": [n_of_tone(table, view, i) for i in range(len(axis.tones))],
    }


def _metric(name: str) -> dict[str, object]:
    metric = metric_named(name)
    return {
        "name": name,
        "label": metric_label(name),
        "larger": metric.larger_is_better,
        "perTone": metric.per_tone,
    }


def _row(row: Row, shared: tuple[str, ...]) -> dict[str, object]:
    return {
        "method": row.entry.method,
        "baseline": row.entry.baseline,
        "backbone": row.entry.backbone,
        "small": small_label(row),
        "full": row.entry.label,
        "marks": [mark for mark in row.marks if mark not in shared],
        "rank": row.rank,
        "unranked": row.unranked,
        "control": row.control,
        "why": next((s.hole.text for s in row.seeds if s.hole), None) if not row.views else None,
    }


def _link(page: str | None) -> dict[str, object]:
    return {"page": page} if page else {}
