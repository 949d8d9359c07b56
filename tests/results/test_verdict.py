"""What a table says first: is any entry better than the controls; and which ranks are sure."""

import re

import pytest
from answered import LEVELS, board_with_answers

from tonegap.report.answer_text import answer
from tonegap.report.pages.leaderboard_page import render_html
from tonegap.report.phrases import percent
from tonegap.results.verdict import rank_ranges, verdict

CHANCE = (0.25,) * 6
CONTROL = "none + chance (resnet18)"


@pytest.fixture
def board_of(make_record, entry, cell, settings):
    return board_with_answers(make_record, entry, cell, settings)


def said_of(board):
    return answer(board, board.tables[0])[0]


def test_the_first_sentence_names_the_entry_that_is_better_and_by_how_much(board_of):
    board = board_of({name: LEVELS[name] for name in ("none+erm", "good+erm", "none+chance")})
    found = verdict(board.claims[0], board.settings)
    assert [lead.label for lead in found.better] == [
        "good + erm (resnet18)",
        "none + erm (resnet18)",
    ]
    assert (found.control, found.n, found.score) == (CONTROL, 2, "worst")
    lead = found.better[0]
    assert (
        0.5 < lead.low < lead.difference < lead.high < 0.8
    )  # 86 % against 25 %, less what the worst of six loses
    assert said_of(board) == (
        f"good + erm (resnet18) is significantly better than the best control, {CONTROL}, in worst-tone accuracy: "
        f"+{percent(lead.difference)} points (+{percent(lead.low)} to +{percent(lead.high)}; p < 0.001, corrected "
        "for 2 entries); so is 1 other."
    )


def test_entries_at_chance_are_not_better_than_the_controls(board_of):
    board = board_of({"none+erm": CHANCE, "good+erm": CHANCE, "none+chance": CHANCE})
    assert verdict(board.claims[0], board.settings).better == ()
    assert said_of(board) == (
        f"No entry is significantly better than the best control, {CONTROL}, in worst-tone accuracy."
    )


def test_an_entry_that_was_trained_once_is_not_called_better(board_of):
    board = board_of({name: LEVELS[name] for name in ("good+erm", "none+chance")}, seeds=(0,))
    assert said_of(board) == (
        f"No entry is called better than the best control, {CONTROL}: each was trained once."
    )
    assert rank_ranges(board.claims[0]) == {}


def test_without_a_control_the_best_entry_comes_first(board_of):
    board = board_of({"good+erm": LEVELS["good+erm"]})
    assert said_of(board).startswith("good + erm (resnet18) has the best worst-tone accuracy")


def test_ranks_of_a_tie_group_stand_below_the_rank_and_the_worst_tones_interval_below_the_dots(
    board_of,
):
    board = board_of({**LEVELS, "same+erm": (0.9, 0.9, 0.9, 0.9, 0.86, 0.82)})
    page = render_html(board)
    ranks = re.findall(r'<td class="rank">(.*?)</td>', page)
    assert ranks == ["1<small>1–2</small>", "2<small>1–2</small>", "3", ""]  # the last is a control
    interval = board.claims[0].rows[0].intervals["worst"]
    said = f"worst tone&#39;s 95 % interval {percent(interval.low)} to {percent(interval.high)}"
    assert said in page.partition('<tr class="first">')[2].partition("</tr>")[0]
    assert 'class="whisker"' in page
    assert '"ranks":[1,2]' in page
    assert f'"whisker":[{round(interval.low * 1000)},{round(interval.high * 1000)}]' in page
