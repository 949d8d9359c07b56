"""Charts: the page's colours, nothing invented where a score is undefined."""

import re

import pytest

from tonegap.formats.record import CurvePoint
from tonegap.report.pages.charts import AxisScale, Frame, scale_of
from tonegap.results.entry_answers import Curve
from tonegap.results.model import Mean, MeanScores
from tonegap.scores.evidence.intervals import Interval
from tonegap.scores.evidence.tone_counts import Bin, Reliability


def mean_of(value, low=None, high=None):
    return Mean(value, (value,), 40, 40, None if value is not None else "few images", low, high)


@pytest.fixture
def intervals(macro):
    """A chart of three tones: a value with an interval, none, a value without an interval."""
    tones = (mean_of(0.7), mean_of(None), mean_of(0.5))
    scores = MeanScores(mean_of(0.6), tones, None, (), None)
    return macro(
        "charts.html.j2",
        "x.interval_chart(label, names, scores, found)",
        label='six & "seven"',
        names=("I-II", "III-IV", "V-VI"),
        scores=scores,
        found={"I-II": Interval(0.6, 0.8)},
    )


def test_a_frame_places_the_ends_of_its_axes_at_its_margins():
    frame = Frame(260, 176, (-0.5, 5.5), AxisScale(0.4, 0.8))
    assert (frame.x(-0.5), frame.x(5.5)) == ("30.00", "252.00")
    assert (frame.y(0.4), frame.y(0.8), frame.y(0.6)) == ("152.00", "10.00", "81.00")
    second = Frame(250, 250, (0, 1), AxisScale(0, 1), right=14, start=250)
    assert (second.x(0), second.x(1, -6)) == ("280.00", "480.00")


def test_a_line_breaks_where_a_value_is_undefined():
    frame = Frame(138, 134, (0, 4), AxisScale(0.0, 1.0))
    assert frame.path(range(3), [0.1, 0.2, 0.3]).count("M") == 1
    broken = frame.path(range(4), [0.1, None, 0.3, 0.4])
    assert broken == "M30.00 100.00 M80.00 80.00 L105.00 70.00"


def test_the_label_is_what_a_screen_reader_says(intervals):
    label = re.search(r'aria-label="([^"]*)"', intervals).group(1)
    assert (
        label == "six &amp; &#34;seven&#34; by tone: I-II 70.0 (60.0 to 80.0), III-IV –, V-VI 50.0"
    )


def test_an_undefined_tone_has_a_sign_and_no_dot(intervals):
    assert re.findall(r'<circle class="(t\d)"', intervals) == ["t2", "t6"]
    assert intervals.count('class="range"') == 1
    assert intervals.count(">–</text>") == 1


def test_a_chart_brings_no_style_colour_or_address_of_its_own(intervals):
    assert intervals.startswith('<svg class="chart" viewBox="0 0 460 264" role="img" ')
    for foreign in ("http", "xmlns", "<style", "style=", "fill=", "stroke=", "url(", " id="):
        assert foreign not in intervals


def test_a_scale_holds_all_values_in_full_tens():
    assert scale_of([0.42, None, 0.78]) == AxisScale(0.4, 0.8)
    assert scale_of([None]) == AxisScale(0.0, 1.0)
    assert [round(tick, 2) for tick in AxisScale(0.4, 0.8).ticks] == [0.4, 0.5, 0.6, 0.7, 0.8]


def test_a_learning_curve_names_the_picked_epoch_and_its_test_score(macro):
    points = tuple(CurvePoint(i, 0.5, 0.1 * i) for i in (1, 2, 3))
    found = (Curve(points, picked=2), Curve(points, picked=None))
    drawn = macro(
        "charts.html.j2", "x.curves('accuracy', 'accuracy', found, 260, 176)", found=found
    )
    assert 'aria-label="accuracy; picked, on test images: epoch 2: 20.0"' in drawn
    assert drawn.count('<circle class="test"') == 1
    assert drawn.count('<path class="test"') == drawn.count('<path class="dashed"') == 2


def test_a_bin_with_too_few_images_has_a_column_and_no_dot(macro):
    few, many = Bin(3, 2, 0.25, 0.0), Bin(10, 40, 0.7, 0.8)

    def drawn(*bins):
        found = [Reliability("V-VI", bins)]
        return macro("charts.html.j2", "x.reliability('sure', found, 5, 15)", found=found)

    assert drawn(few, many).count("<circle ") == drawn(many).count("<circle ") == 1
    assert drawn(few, many).count('class="column"') == drawn(many).count('class="column"') + 1
    assert "25.0 sure 0.0 right, n 2" in drawn(few, many)


def test_a_strip_is_drawn_only_where_every_tone_is_on_the_scale(macro):
    def strip(*values):
        means = [mean_of(value) for value in values]
        call = "x.strip(('I-II', 'V-VI'), means, scale, (0.3, 0.7))"
        return macro("charts.html.j2", call, means=means, scale=AxisScale(0.4, 0.8)).strip()

    # 148 pixels hold 40 points; the whisker's lower end is cut at the edge.
    assert '<circle cx="43.0" cy="10" r="5" class="t2"/>' in strip(0.5, 0.8)
    assert '<line class="whisker" x1="1.0" x2="117.0"' in strip(0.5, 0.8)
    assert strip(0.5, None) == strip(0.5, 0.9) == strip() == ""
