"""The charts of an entry's page: scores by tone with intervals, calibration by tone, learning curves."""

from collections.abc import Mapping, Sequence

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
from tonegap.report.pages.entry_numbers import Reliability
from tonegap.report.pages.plots import tone_colour
from tonegap.report.phrases import UNDEFINED, percent
from tonegap.results.model import MeanScores
from tonegap.scores.counts import N_BINS
from tonegap.scores.evidence.intervals import Interval

WIDE = Size(460, 240)
_HISTOGRAM = 0.3  # share of a panel's height that its tallest column takes
_WHOLE = Scale(0.0, 1.0)


def interval_chart(
    said: str, tones: Sequence[str], scores: MeanScores, intervals: Mapping[str, Interval]
) -> str:
    """A dot and an interval per tone, the score of all images as a dashed line behind them.

    `said` begins what the chart says to those who do not see it; tones without a score have a sign.
    """
    ends = [end for tone in tones if tone in intervals for end in _ends(intervals[tone])]
    scale = scale_of([*(mean.value for mean in scores.tones), scores.overall.value, *ends])

    def draw(panels: Sequence[Panel]) -> None:
        (panel,) = panels
        panel.grid()
        panel.line((-0.5, len(tones) - 0.5), (scores.overall.value,) * 2, MUTED, dashed=True)
        panel.line(range(len(tones)), [mean.value for mean in scores.tones], FAINT)
        for x, (tone, mean) in enumerate(zip(tones, scores.tones, strict=True)):
            _tone(panel, x, tone, mean.value, intervals.get(tone))
            panel.write((x, scale.low), f"n {mean.n_low:,}", (0, -30))

    frame = Frame((-0.5, len(tones) - 0.5), scale, bottom=38)
    return draw_chart(f"{said}: {_spoken(tones, scores, intervals)}", WIDE, frame, draw)


def reliability_chart(said: str, found: Sequence[Reliability], min_support: int) -> str:
    """A panel per tone: accuracy over confidence, where on the dashed line both are equal; columns count.

    A bin with fewer than `min_support` images has its column alone. Empty without images.
    """
    if not any(tone.bins for tone in found):
        return ""

    def draw(panels: Sequence[Panel]) -> None:
        for panel, tone in zip(panels, found, strict=True):
            _calibration(panel, tone, min_support, labelled=panel is panels[0])

    size = Size(250 * len(found), 250, len(found))
    frame = Frame((0.0, 1.0), _WHOLE, right=14, top=28)
    return draw_chart(f"{said}: {_bins_spoken(found)}", size, frame, draw)


def _tone(
    panel: Panel, x: float, tone: str, value: float | None, interval: Interval | None
) -> None:
    low = panel.frame.y.low
    panel.write((x, low), tone, (0, -16))
    if value is None:
        panel.write((x, low), UNDEFINED, (0, 4))
        return
    ends = _ends(interval) if interval else ()
    if ends:
        panel.bar(x, *ends)
    panel.dot(x, value, tone_fill(tone_colour(tone)))


def _calibration(panel: Panel, found: Reliability, min_support: int, labelled: bool) -> None:
    panel.grid(labelled)
    panel.line((0, 1), (0, 1), MUTED, dashed=True)
    panel.write((0, 1), found.tone, (0, 10), "left")
    panel.write((1, 1), f"n {found.n:,}", (0, 10), "right")
    for place in (0.0, 0.5, 1.0):
        panel.write((place, 0), f"{place * 100:.0f}", (0, -16))
    tallest = max((each.n for each in found.bins), default=1)
    for each in found.bins:
        ends = (each.index / N_BINS, (each.index + 1) / N_BINS)
        panel.column(ends, _HISTOGRAM * each.n / tallest)
    enough = [each for each in found.bins if each.n >= min_support]
    panel.line([each.confidence for each in enough], [each.accuracy for each in enough], ACCENT)
    for each in enough:
        panel.dot(each.confidence, each.accuracy, tone_fill(tone_colour(found.tone)), 7)


def _ends(interval: Interval) -> tuple[float, float] | tuple[()]:
    if interval.low is None or interval.high is None:
        return ()
    return interval.low, interval.high


def _spoken(tones: Sequence[str], scores: MeanScores, intervals: Mapping[str, Interval]) -> str:
    parts = []
    for tone, mean in zip(tones, scores.tones, strict=True):
        ends = _ends(intervals[tone]) if tone in intervals else ()
        between = (
            f" ({percent(ends[0])} to {percent(ends[1])})"
            if ends and mean.value is not None
            else ""
        )
        parts.append(f"{tone} {percent(mean.value)}{between}")
    return ", ".join(parts)


def _bins_spoken(found: Sequence[Reliability]) -> str:
    parts = []
    for tone in found:
        bins = ", ".join(
            f"{percent(b.confidence)} sure {percent(b.accuracy)} right, n {b.n}" for b in tone.bins
        )
        parts.append(f"{tone.tone}: {bins or UNDEFINED}")
    return "; ".join(parts)
