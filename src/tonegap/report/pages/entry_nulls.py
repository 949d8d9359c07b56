"""Writes an entry's gaps, comparisons of tones and calibration errors beside their nulls, as a table of text."""

from collections.abc import Iterator

from tonegap.report.pages.entry_kept import EntryKept
from tonegap.report.pages.entry_tables import ScoreRows
from tonegap.report.pages.page import Number
from tonegap.report.phrases import metric_label, null_p_text, percent, percent_range
from tonegap.results.model import Mean
from tonegap.results.nulls import both_nulls
from tonegap.scores.evidence.parity import Parity
from tonegap.scores.tables import ALL, GAP

_HEADER = ("", "as measured", "tones permuted", "p", "permuted within class", "p")


def nulls_table(kept: EntryKept) -> ScoreRows:
    """Gaps, scores that compare tones and calibration errors of the report's metrics; no rows without answers."""
    if kept.claims is None:
        return ScoreRows(_HEADER, (), ())
    rows = []
    for name, metric, score, mean in _scores(kept):
        first, within = both_nulls(kept.claims.nulls, metric, score)
        if mean.value is not None and first:
            cells = (Number(percent(mean.value)), *_null(first), *_null(within))
            rows.append((name, cells))
    return ScoreRows(_HEADER, tuple(rows), ())


def _scores(kept: EntryKept) -> Iterator[tuple[str, str, str, Mean]]:
    """A name, the metric, `all`, a tone or `gap`, and the score, by the rule and on the axis that rank."""
    selection, axis, _ = kept.table.ranked
    for metric in kept.table.metrics:
        view = kept.row.views.get((selection, axis, metric))
        if view is None:
            continue
        label = metric_label(metric)
        if view.scores.gap is None:
            yield label, metric, ALL, view.scores.overall
            continue
        yield f"{label}, gap", metric, GAP, view.scores.gap
        if metric == "ece":
            yield f"{label}, all, of a calibrated model", metric, ALL, view.scores.overall
            for tone, mean in zip(kept.axis.tones, view.scores.tones, strict=False):
                yield f"{label}, {tone}, of a calibrated model", metric, tone, mean


def _null(null: Parity | None) -> tuple[Number, Number]:
    if null is None:
        return Number(""), Number("")
    return Number(percent(null.expected), percent_range(null.low, null.high)), Number(
        null_p_text(null.p)
    )
