"""An entry's numbers as tables: shares only where there is support, a list where a matrix would be too large."""

import re

from tonegap.report.claims_text import interval_words
from tonegap.report.pages.entry_evidence import Bin, Confusion, EventCounts, Reliability
from tonegap.report.pages.entry_page import N_CONFUSIONS, bins_table, frequent_confusions
from tonegap.report.text_table import Footnotes
from tonegap.scores.evidence.intervals import Interval

TWO = ("benign", "malignant")


def matrix(macro, one, min_support):
    call = "x.matrix(one, classes, least)"
    return macro("entry_tables.html.j2", call, one=one, classes=TWO, least=min_support)


def test_a_row_of_a_confusion_is_in_percent_of_its_true_class(macro):
    page = matrix(macro, Confusion("V-VI", ((6, 2), (0, 4))), 1)
    assert "<caption>V-VI (12)</caption>" in page
    assert (
        '<tr><th scope="row">1 benign</th>'
        '<td class="share right" style="--share: 0.75">6<small>75 %</small></td>'
        '<td class="share" style="--share: 0.25">2<small>25 %</small></td></tr>'
    ) in page


def test_a_class_with_too_few_images_has_counts_and_no_share(macro):
    page = matrix(macro, Confusion("V-VI", ((3, 1), (0, 5))), 5)
    row = re.search(r"1 benign</th>(.*?)</tr>", page).group(1)
    assert re.findall(r"--share: ([\d.]+)", row) == ["0.0", "0.0"]
    assert re.findall(r">(\d)<small>(.*?)</small>", row) == [("3", "–"), ("1", "–")]


def test_an_interval_without_width_is_no_certainty():
    assert interval_words(Interval(0.9, 1.0)) == "90.0 to 100.0"
    assert interval_words(Interval(1.0, 1.0)) == ""
    assert interval_words(Interval(None, None, "too few")) == ""
    assert interval_words(Interval(0.50001, 0.50002)) == "50.0 to 50.1"
    assert interval_words(Interval(0.0, 0.0002)) == "0.0 to 0.1"


def test_many_classes_have_their_most_frequent_confusions():
    n = 13
    classes = tuple(f"c{i}" for i in range(n))
    # Class 0 is taken for class j in j images; the others are always right.
    counts = (tuple(range(n)), *(tuple(5 * (i == j) for j in range(n)) for i in range(1, n)))
    rows = frequent_confusions([Confusion("all", counts)], classes)
    assert len(rows) == N_CONFUSIONS
    assert rows[0] == ("all", "c0", "c12", "12", "78")  # of 1 + 2 + … + 12
    assert rows[1] == ("all", "c0", "c11", "11", "78")


def test_rates_at_the_threshold_need_support_and_say_so(macro):
    notes = Footnotes()
    counts = EventCounts("VI", hits=3, misses=1, rejections=6, alarms=2)
    call = "x.event_row(counts, 5, notes)"
    row = macro("entry_tables.html.j2", call, counts=counts, notes=notes)
    cells = re.findall(r"<td[^>]*>([^<]*)", row)
    assert cells == ["4", "3", "1", "–", "8", "6", "2", "75.0"]
    assert list(notes.numbers) == ["VI, positive: 4 images, fewer than 5"]


def test_a_bin_says_how_many_images_it_has_even_where_they_are_too_few():
    light = Reliability("I-II", (Bin(9, 8, 0.65, 0.5), Bin(14, 2, 0.97, 1.0)))
    dark = Reliability("V-VI", (Bin(9, 5, 0.65, 0.8),))
    assert bins_table([light, dark], 5) == (
        ("60 to 67 %", "50.0 (n 8)", "80.0 (n 5)"),
        ("93 to 100 %", "– (n 2)", "n 0"),
    )
