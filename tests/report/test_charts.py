"""Charts: the page's colours, the same bytes, nothing invented where a score is undefined."""

import re
import subprocess
import sys

import pytest

from tonegap.formats.record import CurvePoint
from tonegap.report.pages.charts import ACCENT, Frame, Scale, Size, draw_chart, scale_of, tone_fill
from tonegap.report.pages.entry_numbers import Bin, Reliability
from tonegap.report.pages.plots import Curve, curve_chart
from tonegap.report.pages.plots_entry import reliability_chart

SIZE = Size(260, 176)
FRAME = Frame((0.0, 4.0), Scale(0.0, 1.0))


def line_of(values, label="a line"):
    return draw_chart(
        label, SIZE, FRAME, lambda panels: panels[0].line(range(len(values)), values, ACCENT)
    )


@pytest.fixture
def chart():
    def draw(panels):
        panels[0].grid()
        panels[0].dot(1, 0.5, tone_fill(6))
        panels[0].write((2, 0), "V-VI costs $1 & $2")

    return draw_chart('six & "seven"', SIZE, FRAME, draw)


def test_every_colour_is_one_of_the_page(chart):
    assert "var(--tone-6)" in chart
    assert "var(--rule)" in chart
    assert re.findall(r"(?:fill|stroke): #", chart) == []


def test_a_chart_brings_no_header_style_date_or_address_of_its_own(chart):
    assert chart.startswith('<svg class="chart" viewBox="0 0 260 176" role="img" ')
    for foreign in ("http", "xmlns", "<style", "<?xml", "DOCTYPE", "metadata", "font-family"):
        assert foreign not in chart


def test_text_stays_text_and_no_formula_is_read_into_it(chart):
    assert ">V-VI costs $1 &amp; $2</text>" in chart


def test_the_label_is_what_a_screen_reader_says(chart):
    assert 'aria-label="six &amp; &quot;seven&quot;"' in chart


def test_a_line_breaks_where_a_value_is_undefined():
    assert line_of([0.1, 0.2, 0.3]).count("M ") == 1
    assert line_of([0.1, None, 0.3, 0.4]).count("M ") == 2


def test_the_same_numbers_give_the_same_bytes_in_another_process():
    code = (
        "from tonegap.report.pages.charts import *;"
        "frame = Frame((0.0, 4.0), Scale(0.0, 1.0));"
        "print(draw_chart('dots', Size(260, 176), frame, lambda p: p[0].dot(1, .5, ACCENT)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = draw_chart("dots", SIZE, FRAME, lambda panels: panels[0].dot(1, 0.5, ACCENT))
    assert ended.stdout.strip() == here


def test_two_charts_of_a_page_share_no_id():
    def dotted(label):
        return draw_chart(label, SIZE, FRAME, lambda panels: panels[0].dot(1, 0.5, ACCENT))

    found = [set(re.findall(r' id="([^"]+)"', dotted(label))) for label in ("one", "two")]
    assert all(found)
    assert found[0].isdisjoint(found[1])


def test_a_scale_holds_all_values_in_full_tens():
    assert scale_of([0.42, None, 0.78]) == Scale(0.4, 0.8)
    assert scale_of([None]) == Scale(0.0, 1.0)
    assert [round(tick, 2) for tick in Scale(0.4, 0.8).ticks] == [0.4, 0.5, 0.6, 0.7, 0.8]


def test_a_learning_curve_names_the_picked_epoch_and_its_test_score():
    points = tuple(CurvePoint(i, 0.5, 0.1 * i) for i in (1, 2, 3))
    drawn = curve_chart([Curve(points, picked=2), Curve(points, picked=None)], "accuracy", SIZE)
    assert 'aria-label="accuracy; picked, on test images: epoch 2: 20.0"' in drawn


def test_a_bin_with_too_few_images_has_a_column_and_no_dot():
    few, many = Bin(3, 2, 0.25, 0.0), Bin(10, 40, 0.7, 0.8)
    both = reliability_chart("sure", [Reliability("V-VI", (few, many))], min_support=5)
    one = reliability_chart("sure", [Reliability("V-VI", (many,))], min_support=5)
    assert both.count("<use ") == one.count("<use ") == 1
    assert both.count("fill: var(--rule)") == one.count("fill: var(--rule)") + 1
    assert "25.0 sure 0.0 right, n 2" in both
