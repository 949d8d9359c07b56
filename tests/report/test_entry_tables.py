"""An entry's numbers as tables: shares only where there is support, a list where a matrix would be too large."""

from tonegap.report.pages.entry_numbers import Bin, Confusion, EventCounts, Reliability
from tonegap.report.pages.entry_tables import (
    MATRIX_UP_TO,
    N_CONFUSIONS,
    bins_table,
    event_table,
    frequent_confusions,
    interval_words,
    matrices,
)
from tonegap.scores.evidence.intervals import Interval

TWO = ("benign", "malignant")


def test_a_row_of_a_confusion_is_in_percent_of_its_true_class():
    (matrix,) = matrices([Confusion("V-VI", ((6, 2), (0, 4)))], TWO, 1)
    assert matrix.title == "V-VI (12)"
    (name, cells), _ = matrix.rows
    assert name == "benign"
    assert [(c.n, c.text, c.share, c.is_correct) for c in cells] == [
        ("6", "75 %", 0.75, True),
        ("2", "25 %", 0.25, False),
    ]


def test_a_class_with_too_few_images_has_counts_and_no_share():
    (matrix,) = matrices([Confusion("V-VI", ((3, 1), (0, 5)))], TWO, 5)
    cells = matrix.rows[0][1]
    assert [(c.n, c.text, c.share) for c in cells] == [("3", "–", 0.0), ("1", "–", 0.0)]


def test_an_interval_without_width_is_no_certainty():
    assert interval_words(Interval(0.9, 1.0)) == "90.0 to 100.0"
    assert interval_words(Interval(1.0, 1.0)) == ""
    assert interval_words(Interval(None, None, "too few")) == ""
    assert interval_words(Interval(0.50001, 0.50002)) == "50.0 to 50.1"
    assert interval_words(Interval(0.0, 0.0002)) == "0.0 to 0.1"


def test_many_classes_have_their_most_frequent_confusions_instead_of_a_matrix():
    n = MATRIX_UP_TO + 1
    classes = tuple(f"c{i}" for i in range(n))
    # Class 0 is taken for class j in j images; the others are always right.
    counts = (tuple(range(n)), *(tuple(5 * (i == j) for j in range(n)) for i in range(1, n)))
    one = Confusion("all", counts)
    assert matrices([one], classes, 1) == ()
    rows = frequent_confusions([one], classes)
    assert len(rows) == N_CONFUSIONS
    assert rows[0] == ("all", "c0", "c12", "12", "78")  # of 1 + 2 + … + 12
    assert rows[1] == ("all", "c0", "c11", "11", "78")


def test_rates_at_the_threshold_need_support_and_say_so():
    table = event_table([EventCounts("VI", hits=3, misses=1, rejections=6, alarms=2)], 5)
    (tone, cells) = table.rows[0]
    assert tone == "VI"
    assert [cell.text for cell in cells] == ["4", "3", "1", "–", "8", "6", "2", "75.0"]
    assert table.notes == ("VI, positive: 4 images, fewer than 5",)


def test_a_bin_says_how_many_images_it_has_even_where_they_are_too_few():
    light = Reliability("I-II", (Bin(9, 8, 0.65, 0.5), Bin(14, 2, 0.97, 1.0)))
    dark = Reliability("V-VI", (Bin(9, 5, 0.65, 0.8),))
    assert bins_table([light, dark], 5) == (
        ("60 to 67", "50.0 (n 8)", "80.0 (n 5)"),
        ("93 to 100", "– (n 2)", "n 0"),
    )
