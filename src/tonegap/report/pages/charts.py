"""Charts by matplotlib as inline SVG in the page's own colours: the same bytes for the same numbers.

Artists are drawn in sentinel colours that become CSS variables, so one chart serves light, dark and
print. Text stays text in the page's font. Grid and labels are placed here, without matplotlib's Axes, which take
most of its time.
"""

import io
import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.figure import Figure
    from matplotlib.transforms import Affine2D

INK, MUTED, FAINT, RULE, ACCENT, PAPER = (
    "#010001", "#010002", "#010003", "#010004", "#010005", "#010006",
)  # fmt: skip
_TONES = tuple(f"#0200{i:02x}" for i in range(1, 7))
_VARIABLES = {
    INK: "ink", MUTED: "muted", FAINT: "faint", RULE: "rule", ACCENT: "accent", PAPER: "paper",
} | {colour: f"tone-{i}" for i, colour in enumerate(_TONES, 1)}  # fmt: skip
_TEXT_PX, _DOTS = 11, 72  # at 72 dots per inch a point is a pixel
_MAX_TICKS = 6
_NO_METADATA = dict.fromkeys(("Date", "Creator", "Format", "Type"))


@dataclass(frozen=True, slots=True)
class Scale:
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


def scale_of(values: Iterable[float | None]) -> Scale:
    """A scale that holds all values, widened to full tens; 0 to 1 without any."""
    tens = [value * 10 for value in values if value is not None]
    if not tens:
        return Scale(0.0, 1.0)
    low = math.floor(min(tens) + 1e-9)
    high = max(math.ceil(max(tens) - 1e-9), low + 1)
    return Scale(low / 10, high / 10)


def tone_fill(colour: int) -> str:
    """The sentinel of one of the six tone colours, 1 (light) to 6."""
    return _TONES[colour - 1]


@dataclass(frozen=True, slots=True)
class Size:
    """A chart's width and height in pixels of its own, and how many panels stand side by side."""

    width: int
    height: int
    panels: int = 1


@dataclass(frozen=True, slots=True)
class Frame:
    """What a panel shows between its edges: the ends of x and the scale of y; margins in pixels."""

    x: tuple[float, float]
    y: Scale
    left: int = 30
    right: int = 8
    top: int = 10
    bottom: int = 24


@dataclass(frozen=True, eq=False)
class Panel:
    """One panel of a chart; places are in the units of its frame."""

    figure: "Figure"
    frame: Frame
    place: "Affine2D"

    def grid(self, labelled: bool = True) -> None:
        """Horizontal lines at round scores, with their percent unless another panel has it."""
        from matplotlib.lines import Line2D

        low, high = self.frame.x
        for tick in self.frame.y.ticks:
            self._add(Line2D([low, high], [tick, tick], color=RULE, lw=1, zorder=0))
            if labelled:
                self.write((low, tick), f"{tick * 100:.0f}", (-6, -4), "right")

    def line(
        self, xs: Sequence[float], values: Sequence[float | None], colour: str, dashed: bool = False
    ) -> None:
        """A line that breaks where a value is undefined."""
        from matplotlib.lines import Line2D

        ys = [math.nan if value is None else value for value in values]
        drawn = Line2D(xs, ys, color=colour, lw=1.4, ls=(0, (3, 2.2)) if dashed else "-")
        drawn.set_solid_joinstyle("round")
        self._add(drawn)

    def dot(self, x: float, y: float, fill: str, size: float = 11) -> None:
        """A dot with the page's ink around it."""
        from matplotlib.lines import Line2D

        self._add(Line2D([x], [y], ls="", marker="o", ms=size, mfc=fill, mec=INK, mew=1, zorder=4))

    def bar(self, x: float, low: float, high: float, width: float = 1.4) -> None:
        """A vertical line between two scores."""
        from matplotlib.lines import Line2D

        drawn = Line2D([x, x], [low, high], color=INK, lw=width, zorder=3)
        drawn.set_solid_capstyle("butt")
        self._add(drawn)

    def column(self, x: tuple[float, float], height: float) -> None:
        """A faint filled column from the lower edge."""
        from matplotlib.patches import Rectangle

        low = self.frame.y.low
        self._add(Rectangle((x[0], low), x[1] - x[0], height, fc=RULE, ec=PAPER, lw=1, zorder=1))

    def write(
        self,
        at: tuple[float, float],
        text: str,
        moved: tuple[float, float] = (0, 0),
        align: Literal["left", "center", "right"] = "center",
    ) -> None:
        """A small muted text at a place, moved by pixels."""
        from matplotlib.text import Text
        from matplotlib.transforms import IdentityTransform

        x, y = self.place.transform(at)
        drawn = Text(x + moved[0], y + moved[1], text, color=MUTED, ha=align, fontsize=_TEXT_PX)
        drawn.set_transform(IdentityTransform())
        self.figure.add_artist(drawn)

    def _add(self, artist: "Artist") -> None:
        self.figure.add_artist(artist)
        artist.set_transform(self.place)


def draw_chart(
    label: str, size: Size, frame: Frame, draw: Callable[[Sequence[Panel]], None]
) -> str:
    """An SVG of what `draw` puts on the panels; `label` says the same to those who do not see it."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    out = io.StringIO()
    # The salt makes the ids of a chart its own: a page holds many.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": label, "text.parse_math": False}):
        figure = Figure(figsize=(size.width / _DOTS, size.height / _DOTS), dpi=_DOTS)
        figure.patch.set_visible(False)
        draw([Panel(figure, frame, _place(size, frame, i)) for i in range(size.panels)])
        figure.savefig(out, format="svg", metadata=_NO_METADATA)
    return _inline(out.getvalue(), label, size)


def _place(size: Size, frame: Frame, index: int) -> "Affine2D":
    """From a panel's units to pixels, counted from below."""
    from matplotlib.transforms import Affine2D

    width = size.width / size.panels
    across = (width - frame.left - frame.right) / (frame.x[1] - frame.x[0])
    up = (size.height - frame.top - frame.bottom) / (frame.y.high - frame.y.low)
    place = Affine2D().translate(-frame.x[0], -frame.y.low).scale(across, up)
    return place.translate(width * index + frame.left, frame.bottom)


_DROPPED = re.compile(
    r"<\?xml.*?\?>\s*|<!DOCTYPE.*?>\s*|<metadata>.*?</metadata>\s*|<defs>\s*<style.*?</style>\s*</defs>\s*"
    r'| id="[a-z0-9.]+_\d+"| transform="rotate\(-0 [^"]*\)"',
    re.DOTALL,
)
_FONT = re.compile(r"font(?:-family)?: [^;\"]*'[^;\"]*; ?")
_SPACES = re.compile(r"\s+")
_COLOUR = re.compile(r"#0[12]00[0-9a-f]{2}")


def _inline(svg: str, label: str, size: Size) -> str:
    """The chart for the middle of a page: no header, ids or fonts of its own; colours of the page."""
    body = _DROPPED.sub("", svg)
    body = body[body.index(">") + 1 :].removesuffix("</svg>\n")
    body = _FONT.sub("", body).replace("xlink:href", "href")
    body = _COLOUR.sub(lambda found: f"var(--{_VARIABLES[found.group()]})", body)
    body = _SPACES.sub(" ", body).replace("> <", "><").strip()
    return (
        f'<svg class="chart" viewBox="0 0 {size.width} {size.height}" role="img" '
        f'aria-label="{escape(label)}">{body}</svg>'
    )
