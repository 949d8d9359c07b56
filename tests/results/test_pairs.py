"""The comparison of any two entries: data, matrix and links."""

import html
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from answered import LEVELS, board_with_answers
from report_files import contents

from tonegap.report.pages import compare_page
from tonegap.report.pages.leaderboard_page import render_html
from tonegap.report.pages.links import pair_links, slugs


@pytest.fixture
def board_of(make_record, entry, cell, settings):
    return board_with_answers(make_record, entry, cell, settings)


@pytest.fixture
def board(board_of):
    return board_of(LEVELS)


def page_of(board):
    return contents(compare_page.files(board, None))["compare.html"].decode()


def payload_of(board):
    found = re.search(r'class="payload">(.*?)</script>', page_of(board), re.DOTALL)
    return json.loads(found.group(1))


def test_every_pair_of_ranked_entries_is_there_and_no_control(board):
    payload = payload_of(board)
    labels = [entry["label"] for entry in payload["entries"]]
    assert sorted(labels) == [f"{name} + erm (resnet18)" for name in ("good", "none", "same")]
    assert len(payload["difference"]) == 3
    assert len(payload["scores"]) == len(payload["difference"][0]) == 10  # accuracy 9, PQD 1


def test_the_numbers_are_those_of_the_table(board):
    payload, table = payload_of(board), board.tables[0]
    at = payload["scores"].index("accuracy|worst")
    for i, row in enumerate(table.rows):
        worst = row.views[table.ranked].scores.worst.value
        assert payload["point"][i][at] == round(1000 * worst)
    first, second = (row.views[table.ranked].scores.worst.value for row in table.rows[:2])
    assert payload["difference"][0][at] == pytest.approx(1000 * (first - second), abs=0.51)


def test_the_reference_is_told_from_the_others_and_they_are_not_from_each_other(board):
    payload = payload_of(board)
    at = payload["scores"].index("accuracy|worst")
    assert payload["entries"][2]["reference"]
    assert payload["p"][0][at] > 500  # in ten-thousandths
    assert payload["p"][1][at] < 10
    assert payload["p"][2][at] < 10
    assert [entry["tie_group"] for entry in payload["entries"]] == [1, 1, 2]


def test_without_a_script_the_matrix_marks_the_pairs_that_are_told_apart(board):
    page = re.sub(r"<script.*?</script>", "", page_of(board), flags=re.DOTALL)
    # 3 pairs in accuracy (all, six tones, worst, gap) and PQD.
    text = "2 of 3 pairs are significantly different at the 5 % level after correction for all 30 comparisons"
    assert text in page
    rows = re.findall(r"<tr><th scope=.row.>(.*?)</tr>", page)
    told = [row.count('class="significant"') for row in rows]
    assert told == [1, 1, 2]
    # What a row says of a column is what the column's row says of it, with the other sign.
    texts = [re.findall(r"<td[^>]*>(?:<strong>)?([^<]*)", row)[1:] for row in rows]
    assert texts[0][2].replace("+", "−") == texts[2][0]
    assert texts[0][0] == texts[1][1] == ""


def test_an_undefined_score_is_null_and_a_dash(board):
    claims = board.claims[0]
    point = claims.pairs.point.copy()
    p, difference = claims.pairs.pairs.p.copy(), claims.pairs.pairs.difference.copy()
    at = claims.pairs.names.index(("accuracy", "worst"))
    point[0, at] = np.nan
    p[0, at] = difference[0, at] = np.nan
    found = replace(claims.pairs.pairs, p=p, difference=difference)
    pairs = replace(claims.pairs, point=point, pairs=found)
    holed = replace(board, claims=(replace(claims, pairs=pairs),))
    payload = payload_of(holed)
    assert payload["point"][0][at] is None
    assert payload["p"][0][at] is None
    assert ">–</td>" in page_of(holed)


def test_a_narrow_interval_is_not_shown_without_width(board):
    claims = board.claims[0]
    at = claims.pairs.names.index(("accuracy", "worst"))
    low, high = (getattr(claims.pairs.pairs, end).copy() for end in ("low", "high"))
    low[0, at], high[0, at] = -0.0001, 0.0002
    found = replace(claims.pairs.pairs, low=low, high=high)
    narrow = replace(board, claims=(replace(claims, pairs=replace(claims.pairs, pairs=found)),))
    payload = payload_of(narrow)
    assert (payload["low"][0][at], payload["high"][0][at]) == (-1, 1)


def test_one_entry_alone_has_no_page(board_of):
    alone = board_of({"none+erm": LEVELS["none+erm"], "none+chance": LEVELS["none+chance"]})
    assert contents(compare_page.files(alone, None)) == {}


def test_the_claims_link_each_entry_to_its_comparison_with_the_reference(board):
    links = pair_links(board, board.claims[0])
    address = "compare.html#phantom-smoke/good-erm-resnet18/none-erm-resnet18"
    assert links["good + erm (resnet18)"] == address
    assert "none + chance (resnet18)" not in links
    assert f'href="{address}"' in render_html(board, beside=())
    assert "compare.html" not in render_html(board)


def test_labels_that_would_share_an_address_are_numbered():
    assert slugs(["a + b", "A b", "c"]) == ["a-b", "a-b--2", "c"]


def test_the_page_loads_nothing_and_keeps_hostile_text_as_text(board_of):
    name = "</script><img src=x>+erm"
    board = board_of({"none+erm": LEVELS["none+erm"], name: LEVELS["good+erm"]})
    page = page_of(board)
    assert "<img" not in page
    assert html.escape(name.replace("+", " + ")) in page
    assert not re.search(r"<(link|img|iframe|script)[^>]+(src|href)=", page)


def test_of_entries_trained_once_the_page_says_the_difference_and_no_p(board_of):
    board = board_of(LEVELS, seeds=(0,))
    page, payload = page_of(board), payload_of(board)
    at = payload["scores"].index("accuracy|worst")
    assert payload["difference"][1][at] > 100
    assert payload["p"][1][at] is payload["low"][1][at] is None
    assert "0 of 3 pairs are significantly different" in page
    assert "one training run: how another would differ is not known" in page


def test_intervals_of_the_page_leave_0_out_just_where_p_is_below_5_percent(board):
    found = board.claims[0].pairs.pairs
    leaves_out = (found.low > 0) | (found.high < 0)
    assert leaves_out.tolist() == (found.p < 0.05).tolist()
    assert 0 < leaves_out.sum() < leaves_out.size
