"""The shrunken worst tone, by hand, and the ranks by it; levelling down only with evidence."""

import csv
import io
import json
import re
from dataclasses import replace

import msgspec
import numpy as np
import pytest
from answered import board_with_answers
from report_files import render_csv, render_json

from tonegap.report.answer_text import answer
from tonegap.report.exports.latex import render_latex
from tonegap.report.exports.markdown import render_markdown
from tonegap.report.pages.leaderboard_page import render_html
from tonegap.report.phrases import ranking_rule
from tonegap.results.leaderboard import leaderboard
from tonegap.results.levelling import levels_down, with_claims
from tonegap.results.shrinkage import noise_by_tone, shrink
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.evidence.tone_draws import tone_draws

BOTH = np.array([True, True])
TONES = ("I", "VI")


def test_two_entries_by_two_tones_by_hand():
    # Tone means .8 and .6; entry 1 is .1 above and .1 below them, so r is 0 for both, and .1, -.1, -.1, .1 is left.
    # Squares sum to .04, over (2 - 1) (2 - 1): .04. Noise .01 and .03, on average .02: tau² = .02, so
    # B = .02 / .03 = 2/3 and .02 / .05 = 2/5: .8 + 2/3 * .1 and .6 - 2/5 * .1.
    found = shrink(np.array([[0.9, 0.5], [0.7, 0.7]]), np.array([0.01, 0.03]), BOTH)
    assert found.spread == pytest.approx(0.02**0.5)
    assert found.believed.tolist() == pytest.approx([2 / 3, 2 / 5])
    assert found.scores.tolist() == [
        pytest.approx([0.8 + 0.2 / 3, 0.56]),
        pytest.approx([0.8 - 0.2 / 3, 0.64]),
    ]


def test_what_an_entry_does_better_everywhere_stays():
    # Means .7 and .5; entry 1 is .2 and .1 above them: r = .15, left .05 and -.05; entry 2 mirrors it. Noise is more
    # than is left, so tau is 0: every entry has the tone's mean plus its own .15.
    found = shrink(np.array([[0.9, 0.6], [0.5, 0.4]]), np.array([0.05, 0.05]), BOTH)
    assert found.scores.tolist() == [pytest.approx([0.85, 0.65]), pytest.approx([0.55, 0.35])]


def test_scores_without_noise_stay_as_they_are():
    scores = np.array([[0.9, 0.5], [0.7, 0.7]])
    assert shrink(scores, np.zeros(2), BOTH).scores.tolist() == [
        pytest.approx([0.9, 0.5]),
        pytest.approx([0.7, 0.7]),
    ]


def test_one_outside_the_pool_moves_nobody():
    scores = np.array([[0.9, 0.5], [0.7, 0.7]])
    noise = np.array([0.01, 0.03])
    alone = shrink(scores, noise, BOTH).scores
    beside = shrink(np.vstack([scores, [1.0, 0.0]]), noise, np.array([True, True, False])).scores
    assert beside[:2].tolist() == alone.tolist()
    # .2 above and .6 below the tone means .8 and .6: r = -.2, left .4 and -.4
    assert beside[2].tolist() == pytest.approx([0.8 - 0.2 + 2 / 3 * 0.4, 0.6 - 0.2 - 2 / 5 * 0.4])


def test_noise_is_what_entries_do_not_share():
    # Both entries rise and fall together by .2 on tone 1: no noise of their own. On tone 2 one reads .6 and .4, the
    # other .4 and .6: each is .1 from their mean, variance .01 of each, sum .02, over 2 - 1 entries.
    draws = [np.array([[0.7, 0.6], [0.5, 0.4]]), np.array([[0.8, 0.4], [0.6, 0.6]])]
    assert noise_by_tone(draws).tolist() == pytest.approx([0.0, 0.02])


def test_noise_of_scores_that_most_draws_leave_undefined_is_not_known():
    draws = np.full((10, 2), 0.5)
    draws[0] = np.nan
    assert noise_by_tone([draws, draws]) is None


def said(right, n=10):
    """Answers to n images of each tone of which the first so many, `right`, are right."""
    y = np.tile(np.arange(n) % 2, 2)
    correct = np.concatenate([np.arange(n) < k for k in right])
    p = np.eye(2)[np.where(correct, y, 1 - y)]
    classes = ("acne", "eczema")
    return TestAnswers(
        ids=tuple(map(str, range(2 * n))),
        labels=tuple(classes[i] for i in y),
        tones=("I",) * n + ("VI",) * n,
        units=tuple(range(2 * n)),
        classes=classes,
        p=p,
        epoch=1,
        threshold=None,
    )


def test_draws_have_the_spread_of_so_few_images():
    # 8 of 10 right: the variance of the mean of 10 is .8 * .2 / 9; 4,000 draws know it to 2.2 %, three times that.
    drawn = tone_draws([said((8, 5))], (), TONES, "accuracy", n_draws=4000)
    assert drawn.var(axis=0) == pytest.approx([0.16 / 9, 0.25 / 9], rel=0.07)
    assert tone_draws([said((8, 5))], (), TONES, "pqd") is None


@pytest.fixture
def small(make_record, entry, cell, settings):
    """A board of entries by how many of 10 images of each tone they have right."""

    def make(order=("a", "b"), support=100, kept=True, **right):
        made = {name: said(right[name]) for name in order}
        cells = []
        for name in order:
            per_tone = {tone: k / 10 for tone, k in zip(TONES, right[name], strict=True)}
            overall = sum(right[name]) / 20
            cells.append(cell(make_record(entry(f"{name}+erm"), 0, per_tone, overall)))
        chosen = msgspec.structs.replace(settings, min_rank_support=support)
        answers = (lambda record: made[record.entry.method]) if kept else None
        return leaderboard(cells, chosen, answers)

    return make


def placed(board):
    return [(r.entry.method, r.rank, r.shrunken and r.shrunken.worst) for r in board.tables[0].rows]


def test_a_shrunken_share_is_no_less_than_0(small):
    # Means .55 and .25. "b" is .45 and .25 below them, r = -.35: without what is left of it tone VI would be -.10.
    board = small(a=(10, 5), b=(1, 0))
    assert min(s for row in board.tables[0].rows for s in row.shrunken.tones) >= 0


# Tone means .75 and .55; what is left is .05 in each cell: four squares sum to .01. Entries are wrong on images 8, 9
# and 5 to 9 or on 7, 8, 9 and 6 to 9, so on tone I they differ in one image, on VI in one: each is half an image from
# their mean there, variance 2 * (1/4) (.1 * .9) / 9 = .005 on both tones. tau² = .01 - .005 and B = 1/2.
NEAR = {"a": (8, 5), "b": (7, 6)}


def test_tones_with_few_images_rank_by_the_shrunken_worst(small):
    board = small(**NEAR)
    ((one, rank_one, worst_one), (two, rank_two, worst_two)) = placed(board)
    # 400 draws know a variance to 7 %, so B to about 4 %: .55 +- .025 within .003.
    assert (one, rank_one, two, rank_two) == ("b", 1, "a", 2)
    assert worst_one == pytest.approx(0.575, abs=0.004)
    assert worst_two == pytest.approx(0.525, abs=0.004)
    # The records say 40 images of each tone.
    assert board.tables[0].ranking.why == "I has 40, VI has 40 test images, fewer than 100"


def test_the_order_of_rows_changes_no_rank(small):
    right = {"a": (9, 2), "b": (6, 5), "c": (8, 5), "d": (5, 5)}
    first = placed(small(order=("a", "b", "c", "d"), **right))
    again = placed(small(order=("d", "b", "a", "c"), **right))
    assert [row[:2] for row in first] == [row[:2] for row in again]
    assert [row[2] for row in first] == pytest.approx([row[2] for row in again])


def test_tones_with_enough_images_rank_as_measured_and_show_the_shrunken_beside(small):
    board = small(support=40, **NEAR)
    assert board.tables[0].ranking.by == "worst"
    assert board.tables[0].ranking.why == ""
    assert all(row.shrunken for row in board.tables[0].rows)
    assert ranking_rule(board.tables[0]).startswith("accuracy of the worst tone, epoch picked")


def test_one_entry_alone_has_nothing_to_shrink_and_that_is_said(small):
    board = small(order=("a",), a=(8, 5))
    assert placed(board) == [("a", 1, None)]
    assert ranking_rule(board.tables[0]).startswith(
        "accuracy of the worst tone (I has 40, VI has 40 test images, fewer than 100; as measured, since one entry "
        "alone has nothing to be shrunk towards), "
    )


def test_without_kept_predictions_scores_rank_as_measured_and_that_is_said(small):
    board = small(kept=False, **NEAR)
    assert placed(board) == [("b", 1, None), ("a", 2, None)]
    assert "as measured, since fewer than two entries kept" in board.tables[0].ranking.why


def test_an_undefined_worst_tone_stays_undefined(make_record, entry, cell, settings):
    made = {"a": said((8, 5)), "b": said((7, 6)), "c": said((9, 9))}
    tones = {
        "a": {"I": 0.8, "VI": 0.5},
        "b": {"I": 0.7, "VI": 0.6},
        "c": {"I": 0.9, "VI": "too few"},
    }
    cells = [cell(make_record(entry(f"{n}+erm"), 0, t)) for n, t in tones.items()]
    board = leaderboard(cells, settings, lambda record: made[record.entry.method])
    row = board.tables[0].rows[-1]
    assert (row.entry.method, row.rank, row.shrunken) == ("c", None, None)
    assert row.unranked == "undefined: too few"


def test_predictions_of_others_neither_pool_nor_rank(make_record, entry, cell, settings):
    made = {"a": said((8, 5)), "b": said((7, 6)), "c": said((10, 0))}
    tones = {"a": (0.8, 0.5), "b": (0.7, 0.6), "c": (1.0, 0.0)}
    cells = [
        cell(make_record(entry(f"{n}+erm"), 0, dict(zip(TONES, t, strict=True))))
        for n, t in tones.items()
    ]
    cells[2] = msgspec.structs.replace(cells[2], submission="predictions")
    alone = leaderboard(cells[:2], settings, lambda record: made[record.entry.method])
    board = leaderboard(cells, settings, lambda record: made[record.entry.method])
    assert placed(board)[:2] == placed(alone)
    assert board.tables[0].rows[2].unranked == (
        "predictions made elsewhere: by its score it would be rank 3 of 3"
    )


@pytest.mark.parametrize("render", [render_markdown, render_latex, render_html])
def test_every_page_says_by_what_it_ranks_and_why(small, render):
    text = re.sub(r"<script.*?</script>", "", render(small(**NEAR)), flags=re.DOTALL)
    assert "of the worst tone, shrunken (I has 40, VI has 40 test images, fewer than 100)" in text
    # B of 400 draws: .575 within .004
    assert re.search(r"57\.[1-9]", text)


def test_the_csv_has_the_rank_on_the_line_of_the_shrunken_score(small):
    lines = list(csv.DictReader(io.StringIO(render_csv(small(**NEAR)))))
    ranked = [line for line in lines if line["rank"]]
    assert [(r["method"], r["rank"], r["tone"], r["ranked_by"]) for r in ranked] == [
        ("b", "1", "shrunken_worst", "shrunken_worst"),
        ("a", "2", "shrunken_worst", "shrunken_worst"),
    ]
    assert {r["ranked_because"] for r in ranked} == {
        "I has 40, VI has 40 test images, fewer than 100"
    }
    assert float(ranked[0]["mean"]) == pytest.approx(0.575, abs=0.004)


def test_the_json_has_the_ranking_and_the_shrunken_scores(small):
    table = json.loads(render_json(small(**NEAR)))["tables"][0]
    assert table["ranked"]["by"] == "shrunken_worst"
    assert table["ranked"]["because"] == "I has 40, VI has 40 test images, fewer than 100"
    assert table["ranked"]["believed"]["VI"] == pytest.approx(0.5, abs=0.08)
    assert table["rows"][0]["shrunken"]["worst_at"] == ["VI"]


def test_the_answer_names_the_shrunken_score_and_the_measured_one(small):
    board = small(**NEAR)
    assert re.match(
        r"b \+ erm \(resnet18\) has the best worst-tone accuracy after shrinkage: 57\.\d % "
        r"\(VI; as measured 60\.0 %\)\.",
        answer(board, board.tables[0])[0],
    )


# Levelling down


@pytest.fixture
def board_of(make_record, entry, cell, settings):
    return board_with_answers(make_record, entry, cell, settings)


def marked(board):
    return {row.entry.method for row in board.tables[0].rows if "levelling down" in row.marks}


def test_levelling_down_is_marked_where_both_differences_are_significant(board_of):
    # 200 images of each tone over two seeds: from .9 and .5 to .3 everywhere the gap falls by 40 points and the worst
    # tone by 20, each more than four standard errors. From .5 to .49 nothing can be told.
    levels = {
        "none+erm": (0.9,) * 5 + (0.5,),
        "down+erm": (0.3,) * 6,
        "near+erm": (0.88,) * 5 + (0.49,),
    }
    board = board_of(levels)
    assert marked(board) == {"down"}
    assert all(claims.table in board.tables for claims in board.claims)
    assert "levelling down" in next(
        r.row.marks for r in board.claims[0].rows if r.row.entry.method == "down"
    )


def test_without_evidence_nothing_is_called_levelling_down(board_of):
    levels = {"none+erm": (0.9,) * 5 + (0.5,), "down+erm": (0.3,) * 6}
    assert marked(board_of(levels, kept=())) == set()
    assert marked(board_of(levels, kept=("none+erm",))) == set()


@pytest.mark.parametrize(("worst", "gap"), [(0.2, 0.001), (0.001, 0.2), (None, 0.001)])
def test_one_significant_difference_is_not_enough(board_of, worst, gap):
    board = board_of({"none+erm": (0.9,) * 5 + (0.5,), "down+erm": (0.3,) * 6})
    row = next(r for r in board.claims[0].rows if r.row.entry.method == "down")
    assert levels_down(row, board.tables[0])
    changes = {
        score: replace(row.changes[score], p=p) for score, p in (("worst", worst), ("gap", gap))
    }
    assert not levels_down(replace(row, changes=changes), board.tables[0])
    assert not levels_down(replace(row, changes={}), board.tables[0])


def test_marks_hold_for_a_board_of_records_alone(make_record, entry, cell, settings):
    cells = [
        cell(make_record(entry("none+erm"), 0, {"I": 0.9, "VI": 0.5})),
        cell(make_record(entry("down+erm"), 0, {"I": 0.5, "VI": 0.4})),
    ]
    board = with_claims(leaderboard(cells, settings), lambda record: None)
    assert marked(board) == set()
