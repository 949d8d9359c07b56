"""Which draw a rule takes, on scores worked out by hand."""

import pytest

from tonegap.errors import BadRequest
from tonegap.run.search.choose import ValidationScores, choose, mean_scores

# Best overall is draw 1, best worst tone draw 2; draw 3 is near both.
SCORES = (
    ValidationScores(0.60, 0.40),
    ValidationScores(0.80, 0.30),
    ValidationScores(0.60, 0.60),
    ValidationScores(0.75, 0.55),
)


@pytest.mark.parametrize(("rule", "number"), [("overall", 1), ("worst", 2), ("trade-off", 3)])
def test_each_rule_takes_another_draw(rule, number):
    # Distances to (0.80, 0.60): 0.28, 0.30, 0.20, 0.07.
    assert choose(SCORES, rule, "b") == number


def test_the_first_of_equal_draws_is_taken():
    assert (
        choose((ValidationScores(0.1 + 0.2, 0.5), ValidationScores(0.3, 0.5)), "overall", "b") == 0
    )


def test_a_draw_that_did_not_finish_is_never_taken():
    assert choose((None, *SCORES[:1], None), "worst", "b") == 1


def test_without_a_finished_draw_there_is_no_choice():
    with pytest.raises(BadRequest, match="b: no draw finished"):
        choose((None, None), "overall", "b")


def test_an_undefined_worst_tone_is_no_zero():
    scores = (ValidationScores(0.9, None, "no image has a known tone"), *SCORES[:1])
    assert choose(scores, "overall", "b") == 0
    with pytest.raises(BadRequest, match=r"no image has a known tone.*--rule overall"):
        choose(scores, "worst", "b")


def test_scores_are_means_over_tasks_and_seeds():
    assert mean_scores(SCORES[:2]) == ValidationScores(pytest.approx(0.7), pytest.approx(0.35))


def test_a_mean_is_undefined_where_one_of_its_parts_is():
    found = mean_scores((SCORES[0], ValidationScores(0.8, None, "why")))
    assert (found.overall, found.worst, found.reason) == (pytest.approx(0.7), None, "why")
