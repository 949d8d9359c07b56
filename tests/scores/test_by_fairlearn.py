"""Tables of scores are held against fairlearn when they are made."""

import numpy as np
import pytest

from tonegap.scores.by_fairlearn import check_by_fairlearn
from tonegap.scores.counts import answers, count_once
from tonegap.scores.formulas import metric_values
from tonegap.scores.rules import ScoringRules

RULES = ScoringRules(("benign", "malignant"), ("malignant",), 0.5, 1, ("I", "VI"))
# Tone 0: two of three malignant ones found, one of two benign ones; tone 1: one of two, and both; the last is unknown.
Y = np.array([1, 1, 1, 0, 0, 1, 1, 0, 0, 1])
P = np.array([0.9, 0.8, 0.1, 0.2, 0.7, 0.6, 0.3, 0.1, 0.2, 0.4])
TONE = np.array([0, 0, 0, 0, 0, 1, 1, 1, 1, -1])


@pytest.fixture
def scored():
    said = answers(np.stack([1 - P, P], axis=1), Y, RULES)
    counts = count_once(Y, TONE, 2, said)
    return metric_values(counts, has_event=True), said


def test_scores_that_agree_pass(scored):
    values, said = scored
    assert values["accuracy"][0].tolist() == [3 / 5, 3 / 4, 6 / 10]
    assert values["sensitivity"][0].tolist() == [2 / 3, 1 / 2, 3 / 6]
    check_by_fairlearn(values, Y, TONE, said)
    check_by_fairlearn(values, Y, TONE, said, framed=False)


@pytest.mark.parametrize("framed", [True, False])
@pytest.mark.parametrize("name", ["accuracy", "sensitivity", "specificity"])
def test_a_score_of_a_tone_that_differs_is_refused(scored, name, framed):
    values, said = scored
    values[name][0, 1] += 1e-9
    with pytest.raises(ArithmeticError, match=f"{name} by tone is .* and .* by fairlearn"):
        check_by_fairlearn(values, Y, TONE, said, framed=framed)


def test_what_is_undefined_here_is_not_compared(scored):
    values, said = scored
    values["sensitivity"][0, 1] = np.nan  # fairlearn would give 0.0 without positives
    check_by_fairlearn(values, Y, TONE, said)
    check_by_fairlearn(values, Y, TONE, said, framed=False)


def test_no_known_tone_is_nothing_to_compare(scored):
    check_by_fairlearn(scored[0], Y, np.full(10, -1), scored[1])
