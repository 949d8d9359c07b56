"""The sentences and numbers that readers see."""

import pytest

from tonegap.report.answer_text import answer
from tonegap.report.phrases import null_p_text, percent, points, report_title
from tonegap.results.leaderboard import leaderboard


@pytest.fixture
def said(settings):
    """What the only table of some cells says, as one text."""

    def say(cells):
        board = leaderboard(cells, settings)
        return " ".join(answer(board, board.tables[0]))

    return say


def both_seeds(make_record, cell, entry, first, second, **options):
    return [cell(make_record(entry, s, t, **options)) for s, t in enumerate((first, second))]


def test_a_p_of_permutations_is_printed_no_smaller_than_they_can_tell():
    # None of 400 as extreme: (0 + 1) / (400 + 1) = 0.00249; one: 0.00499.
    assert (null_p_text(1 / 401), null_p_text(2 / 401)) == ("≤ 0.0025", "0.005")


def test_percent_has_one_decimal_and_a_dash_for_undefined():
    assert (percent(0.61249), percent(0.0), percent(None)) == ("61.2", "0.0", "–")


@pytest.mark.parametrize(
    ("value", "text"), [(0.04, "+4.0"), (-0.063, "−6.3"), (-0.0001, "0.0"), (None, "–")]
)
def test_points_carry_their_sign_and_zero_has_none(value, text):
    assert points(value) == text


def test_the_answer_names_the_best_entry_its_gap_and_the_change(make_record, entry, cell, said):
    reference = both_seeds(
        make_record, cell, entry("none+erm"), {"I": 0.9, "VI": 0.5}, {"I": 0.9, "VI": 0.5}
    )
    best = both_seeds(
        make_record, cell, entry("tone-shift+erm"), {"I": 0.9, "VI": 0.7}, {"I": 0.9, "VI": 0.6}
    )
    text = said(reference + best)
    assert "tone-shift + erm (resnet18) has the best worst-tone accuracy: 65.0 % (VI)." in text
    assert "differs by 25.0 points between tones, 15.0 points less than with none + erm" in text
    assert "its worst tone is 15.0 points higher" in text
    assert "ranges from 60.0 to 70.0 and does not overlap" in text
    assert "No control has a score" in text


def test_overlapping_ranges_are_said_to_be_maybe_chance(make_record, entry, cell, said):
    one = both_seeds(
        make_record, cell, entry("none+erm"), {"I": 0.9, "VI": 0.5}, {"I": 0.9, "VI": 0.7}
    )
    two = both_seeds(
        make_record, cell, entry("a+erm"), {"I": 0.9, "VI": 0.55}, {"I": 0.9, "VI": 0.55}
    )
    assert "their order may be chance" in said(one + two)


def test_a_tie_names_both(make_record, entry, cell, said):
    tone = {"I": 0.9, "VI": 0.5}
    text = said([cell(make_record(entry(f"{m}+erm"), 0, tone)) for m in ("none", "duplicate")])
    assert text.startswith("duplicate + erm (resnet18) and none + erm (resnet18) share the best")


def test_entries_at_chance_are_counted(make_record, entry, cell, said):
    cells = [
        cell(make_record(entry("none+erm"), 0, {"I": 0.5, "VI": 0.5})),
        cell(make_record(entry("bad+erm"), 0, {"I": 0.2, "VI": 0.2})),
        cell(make_record(entry("none+prior"), 0, {"I": 0.25, "VI": 0.25}, control=True)),
    ]
    assert (
        "By the numbers alone, 1 of 2 ranked entries is not ahead of the best control, none + prior"
        in said(cells)
    )


def test_the_title_of_an_incomplete_matrix_says_what_is_missing(
    make_record, entry, cell, hole, settings
):
    cells = [
        cell(make_record(entry("none+erm"), 0, {"I": 0.5, "VI": 0.5})),
        hole(entry("a+erm"), 0, "method-error"),
        hole(entry("b+erm"), 0, "method-error"),
        hole(entry("c+erm"), 0),
    ]
    title = report_title(leaderboard(cells, settings))
    assert title == ("INCOMPLETE: 3 of 4 runs missing (2 method-error, 1 never ran) – Leaderboard")


def test_a_complete_matrix_has_a_plain_title(make_record, entry, cell, settings):
    cells = [cell(make_record(entry("none+erm"), 0, {"I": 0.5, "VI": 0.5}))]
    assert report_title(leaderboard(cells, settings)) == "Leaderboard"


def test_nothing_to_rank_is_said(entry, hole, said):
    assert said([hole(entry("none+erm"), 0, "oom")]).startswith("No entry can be ranked yet")
