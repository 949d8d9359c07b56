"""Every view of a table as compact JSON: what the page's script shows when a reader asks for it.

A score is a fraction; an undefined one is the number of its reason, as text; null does not apply.
"""

import json
from dataclasses import dataclass, field

from tonegap.report.model import Axis, Difference, Mean, Row, Table, View
from tonegap.report.plots import tone_colour
from tonegap.report.words import (
    AXIS_LABEL,
    SELECTION_CHOICE,
    metric_label,
    n_of_tone,
    shared_marks,
    small_label,
)
from tonegap.run.record import SELECTIONS
from tonegap.score.tables import metric_named

_DECIMALS = 7
_Value = float | str | None


@dataclass(slots=True)
class _Reasons:
    """Numbers reasons, each once."""

    numbers: dict[str, int] = field(default_factory=dict)

    def value(self, score: Mean | Difference | None) -> _Value:
        if score is None:
            return None
        if score.value is not None:
            return round(score.value, _DECIMALS)
        return str(self.numbers.setdefault(score.reason or "", len(self.numbers)))


def table_payload(table: Table) -> str:
    """The JSON, safe inside a script element."""
    reasons = _Reasons()
    rows, shared = table.all_rows, shared_marks(table)
    document = {
        "ranked": "|".join(table.ranked),
        "axes": [_axis(axis, table) for axis in table.axes],
        "metrics": [_metric(name) for name in table.metrics],
        "selections": [{"name": s, "label": SELECTION_CHOICE[s]} for s in SELECTIONS],
        "rows": [_row(row, shared) for row in rows],
        "views": {
            "|".join((s, a.name, m)): [
                _scores(row.views.get((s, a.name, m)), reasons) for row in rows
            ]
            for s in SELECTIONS
            for a in table.axes
            for m in table.metrics
        },
        "reasons": list(reasons.numbers),
    }
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


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
        "label": f"{row.entry.method} + {row.entry.baseline}",
        "small": small_label(row),
        "full": row.entry.label,
        "marks": [mark for mark in row.marks if mark not in shared],
        "rank": row.rank,
        "unranked": row.unranked,
        "control": row.control,
        "why": next((s.hole.text for s in row.seeds if s.hole), None) if not row.views else None,
    }


def _scores(view: View | None, reasons: _Reasons) -> list[_Value | list[_Value]] | None:
    """The numbers of a row in one view, in the order that the script names them."""
    if view is None:
        return None
    scores, change = view.scores, view.comparison
    return [
        reasons.value(scores.overall),
        *_range(scores.overall),
        reasons.value(scores.worst),
        *_range(scores.worst),
        "/".join(scores.worst_at),
        reasons.value(scores.gap),
        *_range(scores.gap),
        reasons.value(change.overall if change else None),
        reasons.value(change.worst if change else None),
        reasons.value(change.gap if change else None),
        1 if change and change.levelling_down else 0,
        reasons.value(view.oracle_minus_validation),
        [reasons.value(tone) for tone in scores.tones],
        [end for tone in scores.tones for end in _range(tone)],
    ]


def _range(mean: Mean | None) -> tuple[_Value, _Value]:
    if mean is None or mean.low is None or mean.high is None:
        return None, None
    return round(mean.low, _DECIMALS), round(mean.high, _DECIMALS)
