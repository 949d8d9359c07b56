"""Places the values of a chart in pixels; `charts.html.j2` draws them as SVG in the page's own colours."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tonegap.formats.record import EntryId, Record
from tonegap.results.entry_answers import Curve
from tonegap.results.model import LeaderboardTable, Mean, Row
from tonegap.tones import GROUPS, tone_index, tones_like

_MAX_TICKS = 6
_HIDES = 2.5  # pixels apart on a strip


@dataclass(frozen=True, slots=True)
class AxisScale:
    """The ends of an axis of scores, as fractions."""

    low: float
    high: float

    @property
    def ticks(self) -> list[float]:
        """Round values to draw a line at: every 5, 10 or 20 points."""
        span = self.high - self.low
        step = next(s for s in (0.05, 0.1, 0.2) if span / s < _MAX_TICKS or s == 0.2)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return [i * step for i in range(first, last + 1)]

    def along(self, value: float) -> str:
        """Pixels along a strip of 160 from its left edge; a value off the scale stands at the edge."""
        x = 6 + 148 * (value - self.low) / (self.high - self.low)
        return f"{min(max(x, 1), 159):.1f}"

    def dots(self, values: Sequence[float]) -> list[tuple[str, int]]:
        """Pixels of each value's dot on a strip, across and down; one that would hide an earlier dot stands higher."""
        xs = [6 + 148 * (value - self.low) / (self.high - self.low) for value in values]
        hidden = (sum(abs(other - x) < _HIDES for other in xs[:i]) for i, x in enumerate(xs))
        return [(self.along(v), 10 - 3 * n) for v, n in zip(values, hidden, strict=True)]


@dataclass(frozen=True, slots=True)
class Frame:
    """One panel of a chart: its size and margins in pixels, the ends of x, the scale of y.

    `start` is where the panel begins, in pixels from the chart's left edge.
    """

    width: int
    height: int
    ends: tuple[float, float]
    scale: AxisScale
    left: int = 30
    right: int = 8
    top: int = 10
    bottom: int = 24
    start: int = 0

    def x(self, value: float, moved: float = 0) -> str:
        """Pixels from the chart's left edge; `moved` more to the right."""
        low, high = self.ends
        across = (self.width - self.left - self.right) / (high - low)
        return f"{self.start + self.left + (value - low) * across + moved:.2f}"

    def y(self, value: float, moved: float = 0) -> str:
        """Pixels from the chart's upper edge; `moved` more downwards."""
        up = (self.height - self.top - self.bottom) / (self.scale.high - self.scale.low)
        return f"{self.height - self.bottom - (value - self.scale.low) * up + moved:.2f}"

    def path(self, xs: Sequence[float], values: Sequence[float | None]) -> str:
        """The path of a line that breaks where a value is undefined."""
        drawn, before = [], None
        for x, value in zip(xs, values, strict=True):
            if value is not None:
                drawn.append(f"{'M' if before is None else 'L'}{self.x(x)} {self.y(value)}")
            before = value
        return " ".join(drawn)


def record_curves(records: Sequence[Record]) -> tuple[Curve, ...]:
    """The selection metric by epoch, of the records that have it, with the epoch that validation picked."""
    picked = [r.scores["validation"].epoch if "validation" in r.scores else None for r in records]
    return tuple(Curve(r.curve, p) for r, p in zip(records, picked, strict=True) if r.curve)


def scale_of(values: Iterable[float | None]) -> AxisScale:
    """A scale that holds all values, widened to full tens; 0 to 1 without any."""
    tens = [value * 10 for value in values if value is not None]
    if not tens:
        return AxisScale(0.0, 1.0)
    low = math.floor(min(tens) + 1e-9)
    return AxisScale(low / 10, max(math.ceil(max(tens) - 1e-9), low + 1) / 10)


def panel_scale(table: LeaderboardTable) -> AxisScale:
    """One scale for the panels of all entries of a table, each seed's scores included."""
    means = [mean for row in table.rows for mean in tone_scores(row, table)]
    return scale_of(value for mean in means for value in mean.values)


def strip_scale(
    table: LeaderboardTable, whiskers: Mapping[EntryId, tuple[float, float]]
) -> AxisScale:
    """One scale for the strips of a table, which holds every tone's dot, controls' too, and every interval."""
    dots = (mean.value for row in table.all_rows for mean in tone_scores(row, table))
    return scale_of([*dots, *(end for both in whiskers.values() for end in both)])


def tone_scores(row: Row, table: LeaderboardTable) -> tuple[Mean, ...]:
    """The scores by tone in the view that ranks; empty without any."""
    view = row.views.get(table.ranked)
    return view.scores.tones if view else ()


def tone_colour(tone: str) -> int:
    """Which of the page's six tone colours a tone has, 1 (light) to 6; a group its darker type's."""
    n = len(tones_like(tone))
    return 2 * tone_index(tone) + 2 if n == len(GROUPS) else 1 + 6 * tone_index(tone) // n
