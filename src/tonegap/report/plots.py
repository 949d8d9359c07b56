"""Small drawings as inline SVG in the page's own colours (CSS variables), light or dark.

Written by hand because a page has dozens: a plotting library takes 60 ms for each after a second of
import, and another version of it would give other bytes for the same records.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from tonegap.report.model import Mean, Row, Table
from tonegap.report.words import metric_label, percent, spread
from tonegap.run.record import Record
from tonegap.tones import TYPES, tone_index

_WIDTH, _HEIGHT = 260, 176
_LEFT, _RIGHT, _TOP, _BOTTOM = 30, 252, 10, 152
_MAX_TICKS = 6


@dataclass(frozen=True, slots=True)
class Scale:
    """Fractions to pixels, top to bottom."""

    low: float
    high: float

    def y(self, value: float) -> float:
        """The height of a score in the drawing."""
        share = (value - self.low) / (self.high - self.low)
        return _BOTTOM - share * (_BOTTOM - _TOP)

    @property
    def ticks(self) -> list[float]:
        """Round values to draw a line at: every 5, 10 or 20 points."""
        span = self.high - self.low
        step = next(s for s in (0.05, 0.1, 0.2) if span / s < _MAX_TICKS or s == 0.2)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]


def scale_of(values: Iterable[float | None]) -> Scale:
    """A scale that holds all values, widened to full tens; 0 to 1 without any."""
    tens = [value * 10 for value in values if value is not None]
    if not tens:
        return Scale(0.0, 1.0)
    low = math.floor(min(tens) + 1e-9)
    high = max(math.ceil(max(tens) - 1e-9), low + 1)
    return Scale(low / 10, high / 10)


def tone_colour(tone: str) -> int:
    """Which of the page's six tone colours a tone has, 1 (light) to 6; a group its darker type's."""
    return tone_index(tone) + 1 if tone in TYPES else 2 * tone_index(tone) + 2


def panel_scale(table: Table) -> Scale:
    """One scale for the panels of all entries of a table, each seed's scores included."""
    means = [mean for row in table.rows for mean in _tones(row, table)]
    return scale_of(value for mean in means for value in mean.values)


def strip_scale(table: Table) -> Scale:
    """One scale for the strips of all entries of a table."""
    return scale_of(mean.value for row in table.rows for mean in _tones(row, table))


def tone_panel(row: Row, reference: Row | None, table: Table, scale: Scale) -> str:
    """Scores by tone, light to dark, with the range over seeds; the reference as a dashed line.

    Empty if the row has no scores per tone in the main view.
    """
    own = _tones(row, table)
    if not own:
        return ""
    names = table.tones(table.ranked[1])
    behind = _tones(reference, table) if reference and reference is not row else ()
    xs = [_LEFT + (i + 0.5) * (_RIGHT - _LEFT) / len(own) for i in range(len(own))]
    marks = [_tone_mark(*mark, scale) for mark in zip(xs, names, own, strict=True)]
    parts = [
        *_grid(scale),
        *(_text(x, _BOTTOM + 16, name, "middle") for x, name in zip(xs, names, strict=True)),
        _line(xs, [m.value for m in behind], scale, "dashed") if behind else "",
        _line(xs, [m.value for m in own], scale, "own"),
        *marks,
    ]
    return _svg(parts, f"{row.entry.label}: {_spoken(names, own)}")


def curve_panel(records: Sequence[Record], label: str) -> str:
    """The selection metric by epoch, one pair of lines per seed: test solid, validation dashed.

    Dots are the test scores at the epochs that validation picked. Empty without a curve.
    """
    points = [p for record in records for p in record.curve]
    if not points:
        return ""
    scale = scale_of(v for p in points for v in (p.validation, p.test))
    first, last = min(p.epoch for p in points), max(p.epoch for p in points)
    step = (_RIGHT - _LEFT - 12) / max(last - first, 1)

    def x(epoch: int) -> float:
        return _LEFT + 6 + (epoch - first) * step

    parts = [*_grid(scale), _text(x(first), _BOTTOM + 16, str(first), "middle")]
    if last > first:
        parts.append(_text(x(last), _BOTTOM + 16, f"epoch {last}", "end"))
    for record in records:
        xs = [x(p.epoch) for p in record.curve]
        parts.append(_line(xs, [p.validation for p in record.curve], scale, "dashed"))
        parts.append(_line(xs, [p.test for p in record.curve], scale, "test"))
        picked = record.scores["validation"].epoch if "validation" in record.scores else None
        at_picked = [p.test for p in record.curve if p.epoch == picked and p.test is not None]
        parts += [_dot(x(picked), scale.y(v), "test", 4) for v in at_picked if picked is not None]
    metric = metric_label(records[0].selection_metric)
    return _svg(parts, f"{label}: {metric} by epoch on validation and test images")


def strip(row: Row, table: Table, scale: Scale) -> str:
    """One dot per tone on a line from the worst to the best: the gap at a glance.

    Empty if any tone is undefined, as the gap then is, or off the scale, as a control may be.
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
    return (
        f'<svg class="strip" viewBox="0 0 160 20" role="img" '
        f'aria-label="{escape(_spoken(names, own))}">{line}{"".join(dots)}</svg>'
    )


def _tones(row: Row | None, table: Table) -> tuple[Mean, ...]:
    view = row.views.get(table.ranked) if row else None
    return view.scores.tones if view else ()


def _tone_mark(x: float, tone: str, mean: Mean, scale: Scale) -> str:
    if mean.value is None:
        return _text(x, _BOTTOM - 4, "–", "middle")
    bar = ""
    if mean.low is not None and mean.high is not None:
        ends = f'y1="{scale.y(mean.low):.1f}" y2="{scale.y(mean.high):.1f}"'
        bar = f'<line class="range" x1="{x:.1f}" x2="{x:.1f}" {ends}/>'
    return bar + _dot(x, scale.y(mean.value), f"t{tone_colour(tone)}", 5.5)


def _grid(scale: Scale) -> list[str]:
    parts = []
    for tick in scale.ticks:
        y = scale.y(tick)
        parts.append(f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(_text(_LEFT - 6, y + 4, f"{tick * 100:.0f}", "end"))
    return parts


def _line(xs: Sequence[float], values: Sequence[float | None], scale: Scale, style: str) -> str:
    """A line that breaks where a value is undefined."""
    path, pen = [], "M"
    for x, value in zip(xs, values, strict=True):
        if value is not None:
            path.append(f"{pen}{x:.1f} {scale.y(value):.1f}")
        pen = "M" if value is None else "L"
    return f'<path class="{style}" d="{"".join(path)}"/>'


def _dot(x: float, y: float, style: str, radius: float) -> str:
    return f'<circle class="{style}" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(parts: Iterable[str], label: str) -> str:
    head = f'<svg class="panel" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" '
    return f'{head}aria-label="{escape(label)}">{"".join(parts)}</svg>'


def _spoken(names: Sequence[str], tones: Sequence[Mean]) -> str:
    """A drawing's content for those who do not see it."""
    said = []
    for name, mean in zip(names, tones, strict=True):
        over = f" ({spread(mean)})" if spread(mean) else ""
        said.append(f"{name} {percent(mean.value)}{over}")
    return ", ".join(said)
