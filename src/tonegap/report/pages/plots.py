"""The charts of a leaderboard: a panel of scores by tone, learning curves, a strip for the table.

Panels and curves are charts by matplotlib (`charts`); the strip, a glyph that the page's script draws as
well, is a few lines of SVG.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from tonegap.formats.record import CurvePoint, EntryId, Record
from tonegap.report.pages.charts import (
    ACCENT,
    FAINT,
    MUTED,
    Frame,
    Panel,
    Scale,
    Size,
    draw_chart,
    scale_of,
    tone_fill,
)
from tonegap.report.phrases import UNDEFINED, metric_label, percent, spread
from tonegap.results.model import LeaderboardTable, Mean, Row
from tonegap.tones import GROUPS, tone_index, tones_like

PANEL = Size(260, 176)


@dataclass(frozen=True, slots=True)
class Curve:
    """A seed's scores by epoch, and the epoch that was picked (None: none was)."""

    points: tuple[CurvePoint, ...]
    picked: int | None


def tone_colour(tone: str) -> int:
    """Which of the page's six tone colours a tone has, 1 (light) to 6; a group its darker type's."""
    n = len(tones_like(tone))
    return 2 * tone_index(tone) + 2 if n == len(GROUPS) else 1 + 6 * tone_index(tone) // n


def panel_scale(table: LeaderboardTable) -> Scale:
    """One scale for the panels of all entries of a table, each seed's scores included."""
    means = [mean for row in table.rows for mean in _tones(row, table)]
    return scale_of(value for mean in means for value in mean.values)


def strip_scale(table: LeaderboardTable, whiskers: Mapping[EntryId, tuple[float, float]]) -> Scale:
    """One scale for the strips of a table, which holds every tone's dot, controls' too, and every interval."""
    dots = (mean.value for row in table.all_rows for mean in _tones(row, table))
    return scale_of([*dots, *(end for both in whiskers.values() for end in both)])


def tone_panel(row: Row, reference: Row | None, table: LeaderboardTable, scale: Scale) -> str:
    """Scores by tone, light to dark, with the range over seeds; the reference as a dashed line.

    Empty if the row has no scores per tone in the main view.
    """
    own = _tones(row, table)
    if not own:
        return ""
    names = table.tones(table.ranked[1])
    behind = _tones(reference, table) if reference and reference is not row else ()

    def draw(panels: Sequence[Panel]) -> None:
        (panel,) = panels
        panel.grid()
        xs = range(len(own))
        if behind:
            panel.line(xs, [mean.value for mean in behind], MUTED, dashed=True)
        panel.line(xs, [mean.value for mean in own], FAINT)
        for x, name, mean in zip(xs, names, own, strict=True):
            _tone_mark(panel, x, name, mean)

    frame = Frame((-0.5, len(own) - 0.5), scale)
    return draw_chart(f"{row.entry.label}: {_spoken(names, own)}", PANEL, frame, draw)


def curve_panel(records: Sequence[Record], label: str) -> str:
    """The selection metric by epoch, one pair of lines per seed: test solid, validation dashed.

    Dots are the test scores at the epochs that validation picked. Empty without a curve.
    """
    curves = [Curve(r.curve, _picked(r)) for r in records if r.curve]
    if not curves:
        return ""
    metric = metric_label(records[0].selection_metric)
    said = f"{label}: {metric} by epoch on validation and test images"
    return curve_chart(curves, said, PANEL)


def curve_chart(curves: Sequence[Curve], said: str, size: Size) -> str:
    """One pair of thin lines per seed: test solid, validation dashed; dots: test at the picked epoch.

    `said` begins what the chart says to those who do not see it.
    """
    points = [point for curve in curves for point in curve.points]
    first, last = min(p.epoch for p in points), max(p.epoch for p in points)

    def draw(panels: Sequence[Panel]) -> None:
        (panel,) = panels
        panel.grid()
        low = panel.frame.y.low
        panel.write((first, low), str(first), (0, -16))
        if last > first:
            panel.write((last, low), f"epoch {last}", (0, -16), "right")
        for curve in curves:
            _curve(panel, curve)

    scale = scale_of(v for p in points for v in (p.validation, p.test))
    frame = Frame((first - 0.4, max(last, first + 1) + 0.4), scale)
    return draw_chart(f"{said}; {_curves_spoken(curves)}", size, frame, draw)


def _curve(panel: Panel, curve: Curve) -> None:
    xs = [point.epoch for point in curve.points]
    panel.line(xs, [point.validation for point in curve.points], MUTED, dashed=True)
    panel.line(xs, [point.test for point in curve.points], ACCENT)
    for point in curve.points:
        if point.epoch == curve.picked and point.test is not None:
            panel.dot(point.epoch, point.test, ACCENT, 7)


def _picked(record: Record) -> int | None:
    return record.scores["validation"].epoch if "validation" in record.scores else None


def _curves_spoken(curves: Sequence[Curve]) -> str:
    """Test scores at the picked epochs: `epoch 12: 67.8`."""
    at = [
        f"epoch {point.epoch}: {percent(point.test)}"
        for curve in curves
        for point in curve.points
        if point.epoch == curve.picked
    ]
    return f"picked, on test images: {', '.join(at)}" if at else "no epoch picked"


def strip(
    row: Row, table: LeaderboardTable, scale: Scale, whisker: tuple[float, float] | None = None
) -> str:
    """One dot per tone on a line from the worst to the best: the gap at a glance.

    `whisker` is the worst tone's interval, a thin line below, cut where it leaves the scale. Empty if any tone is
    undefined, as the gap then is, or off the scale, as a control may be.
    """
    own = _tones(row, table)
    values = [mean.value for mean in own if mean.value is not None]
    if not own or len(values) < len(own) or not all(scale.low <= v <= scale.high for v in values):
        return ""
    names = table.tones(table.ranked[1])
    xs = [6 + 148 * (value - scale.low) / (scale.high - scale.low) for value in values]
    dots = [
        f'<circle cx="{x:.1f}" cy="10" r="5" class="t{tone_colour(name)}"/>'
        for x, name in zip(xs, names, strict=True)
    ]
    line = f'<line x1="{min(xs):.1f}" x2="{max(xs):.1f}" y1="10" y2="10"/>'
    said, below = _spoken(names, own), ""
    if whisker:
        said += f"; worst tone's 95 % interval {percent(whisker[0])} to {percent(whisker[1])}"
        ends = (6 + 148 * (v - scale.low) / (scale.high - scale.low) for v in whisker)
        left, right = (min(max(x, 1), 159) for x in ends)
        below = f'<line class="whisker" x1="{left:.1f}" x2="{right:.1f}" y1="18.5" y2="18.5"/>'
    return (
        f'<svg class="strip" viewBox="0 0 160 20" role="img" '
        f'aria-label="{escape(said)}">{line}{"".join(dots)}{below}</svg>'
    )


def _tones(row: Row | None, table: LeaderboardTable) -> tuple[Mean, ...]:
    view = row.views.get(table.ranked) if row else None
    return view.scores.tones if view else ()


def _tone_mark(panel: Panel, x: float, tone: str, mean: Mean) -> None:
    low = panel.frame.y.low
    panel.write((x, low), tone, (0, -16))
    if mean.value is None:
        panel.write((x, low), UNDEFINED, (0, 4))
        return
    if mean.low is not None and mean.high is not None:
        panel.bar(x, mean.low, mean.high)
    panel.dot(x, mean.value, tone_fill(tone_colour(tone)))


def _spoken(names: Sequence[str], tones: Sequence[Mean]) -> str:
    """A chart's content for those who do not see it."""
    said = []
    for name, mean in zip(names, tones, strict=True):
        over = f" ({spread(mean)})" if spread(mean) else ""
        said.append(f"{name} {percent(mean.value)}{over}")
    return ", ".join(said)
