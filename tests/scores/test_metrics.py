"""Every metric on a few images, with values worked out by hand, and at its ends."""

import numpy as np
import pytest

from tonegap.scores.metrics import score_table
from tonegap.scores.rules import ScoringRules
from tonegap.scores.tables import ALL, GAP, METRIC_NAMES, METRICS, WORST

CANCER = ScoringRules(("benign", "malignant"), ("malignant",))
THREE = ScoringRules(("a", "b", "c"))


def two_class(p_malignant):
    p = np.array(p_malignant, dtype=float)
    return np.stack([1 - p, p], axis=1)


# Light: benign .2 .6, malignant .7 .4. Dark: benign .1 .3, malignant .9 .8.
LIGHT_DARK = two_class([0.2, 0.6, 0.7, 0.4, 0.1, 0.3, 0.9, 0.8])
Y = np.array([0, 0, 1, 1, 0, 0, 1, 1])
TONES = ["I-II"] * 4 + ["V-VI"] * 4

# Light: 2 of 4 right; recall of each class 1/2; AUC: 3 of 4 pairs (.4 < .6 is wrong). Dark: all.
EXPECTED = {
    "accuracy": (0.5, 1.0, 0.75),
    "balanced_accuracy": (0.5, 1.0, 0.75),
    "macro_f1": (0.5, 1.0, 0.75),
    "auc": (0.75, 1.0, 15 / 16),
    "sensitivity": (0.5, 1.0, 0.75),
    "specificity": (0.5, 1.0, 0.75),
}


@pytest.fixture(scope="module")
def cancer():
    return score_table(LIGHT_DARK, Y, TONES, CANCER)


@pytest.mark.parametrize("metric", EXPECTED)
def test_each_tone_and_all_have_the_value_worked_out_by_hand(cancer, metric):
    values = tuple(cancer.score(metric, tone).value for tone in ("I-II", "V-VI", ALL))

    assert values == pytest.approx(EXPECTED[metric], abs=1e-15)


@pytest.mark.parametrize("metric", EXPECTED)
def test_worst_is_the_light_tone_and_gap_its_distance(cancer, metric):
    light, dark, _ = EXPECTED[metric]

    assert cancer.score(metric, WORST).value == pytest.approx(light)
    assert cancer.score(metric, WORST).n == 4
    assert cancer.score(metric, GAP).value == pytest.approx(dark - light)
    assert cancer.score(metric, GAP).n == 8


def test_ece_by_hand_and_its_worst_is_the_largest(cancer):
    # Confidences, light: .8 right, .6 wrong, .7 right, .6 wrong: bins (.8) (.6 .6) (.7), so
    # (|1 - .8| + |0 - 1.2| + |1 - .7|) / 4 = 1.7 / 4. Dark: .9 .7 .9 .8, all right: .7 / 4.
    assert cancer.score("ece", "I-II").value == pytest.approx(1.7 / 4)
    assert cancer.score("ece", "V-VI").value == pytest.approx(0.7 / 4)
    assert cancer.score("ece", WORST).value == pytest.approx(1.7 / 4)


@pytest.mark.parametrize(
    ("metric", "value"),
    [
        ("pqd", 0.5 / 1.0),
        # Both tones call half of the images benign, half malignant.
        ("dpm", 1.0),
        ("eom", 0.5),
        ("nar", 0.5 / 0.75),
        ("demographic_parity_difference", 0.0),
        ("equal_opportunity_difference", 0.5),
        ("equalized_odds_difference", 0.5),
    ],
)
def test_metrics_between_tones_have_the_value_worked_out_by_hand(cancer, metric, value):
    score = cancer.score(metric, ALL)

    assert score.value == pytest.approx(value)
    assert score.n == 8


def test_table_lists_metrics_in_order_and_between_tones_once(cancer):
    assert tuple(dict.fromkeys(s.metric for s in cancer)) == METRIC_NAMES
    for metric in METRICS:
        tones = [s.tone for s in cancer if s.metric == metric.name]
        assert tones == (["I-II", "V-VI", ALL, WORST, GAP] if metric.per_tone else [ALL])


def test_true_labels_give_every_metric_its_best_value():
    table = score_table(two_class(Y), Y, TONES, CANCER)

    for score in table:
        best = 0.0 if score.tone == GAP else None
        best = (1.0 if larger(score.metric) else 0.0) if best is None else best
        assert score.value == pytest.approx(best), score


def larger(metric):
    return next(m for m in METRICS if m.name == metric).larger_is_better


def test_a_constant_is_at_chance():
    table = score_table(two_class([0.5] * 8), Y, TONES, CANCER)

    assert table.score("auc", ALL).value == 0.5
    assert table.score("balanced_accuracy", ALL).value == 0.5
    assert table.score("accuracy", GAP).value == 0.0
    assert table.score("ece", ALL).value == pytest.approx(0.0)


def test_threshold_moves_only_what_is_defined_by_a_threshold():
    at_35 = ScoringRules(("benign", "malignant"), ("malignant",), threshold=0.35)
    table = score_table(LIGHT_DARK, Y, TONES, at_35)

    # From .35 on: light calls .6 .7 .4, dark .9 .8.
    assert table.score("sensitivity", "I-II").value == 1.0
    assert table.score("specificity", "I-II").value == 0.5
    assert table.score("demographic_parity_difference", ALL).value == 0.25
    assert table.score("equal_opportunity_difference", ALL).value == 0.0
    assert table.score("equalized_odds_difference", ALL).value == 0.5
    assert table.score("accuracy", "I-II").value == 0.5
    assert table.score("eom", ALL).value == 0.5


def test_an_image_exactly_at_the_threshold_is_positive():
    at_7 = ScoringRules(("benign", "malignant"), ("malignant",), threshold=0.7)

    table = score_table(LIGHT_DARK, Y, TONES, at_7)

    assert table.score("sensitivity", "I-II").value == 0.5


def test_the_first_class_wins_a_tie():
    table = score_table(two_class([0.5, 0.5]), np.array([0, 1]), ["I", "I"], CANCER)

    assert table.score("specificity", ALL).value == 1.0
    assert table.score("sensitivity", ALL).value == 0.0


def test_an_event_of_several_classes_adds_their_probabilities():
    rules = ScoringRules(("a", "b", "c"), ("b", "c"), threshold=0.55)
    p = np.array([[0.4, 0.3, 0.3], [0.5, 0.25, 0.25]])

    table = score_table(p, np.array([1, 0]), ["I", "I"], rules)

    # .6 is called positive although no class of it leads; .5 is not.
    assert table.score("sensitivity", ALL).value == 1.0
    assert table.score("specificity", ALL).value == 1.0
    assert table.score("accuracy", ALL).value == 0.5


def test_three_classes_without_an_event_average_one_against_the_rest():
    # Tone I: a, b, c all right. Tone II: a called b, b right, c right.
    p = np.eye(3)[[0, 1, 2, 1, 1, 2]] * 0.7 + 0.1
    y = np.array([0, 1, 2, 0, 1, 2])

    table = score_table(p, y, ["I"] * 3 + ["II"] * 3, THREE)

    # Rates of calling a, b, c: I 1/3 each; II 0, 2/3, 1/3.
    assert table.score("demographic_parity_difference", ALL).value == pytest.approx(2 / 9)
    assert table.score("dpm", ALL).value == pytest.approx((0 + 1 / 2 + 1) / 3)
    # Recalls: I 1 1 1; II 0 1 1. False alarms: I 0 0 0; II 0 1/2 0.
    assert table.score("equal_opportunity_difference", ALL).value == pytest.approx(1 / 3)
    assert table.score("equalized_odds_difference", ALL).value == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert table.score("eom", ALL).value == pytest.approx((0 + 1 + 1) / 3)
    # AUC in II: a: .1 against .1 .1 is half; b: .8 against .8 .1 is 3/4; c: 1.
    assert table.score("auc", "II").value == pytest.approx((0.5 + 0.75 + 1) / 3)
    # F1 in II: a 0; b 2/(2+1); c 1.
    assert table.score("macro_f1", "II").value == pytest.approx((0 + 2 / 3 + 1) / 3)


def test_unknown_tones_count_in_all_and_nowhere_else():
    p, y = two_class([0.9, 0.9, 0.1, 0.1]), np.array([1, 1, 0, 1])

    table = score_table(p, y, ["I", "II", None, None], CANCER)

    assert table.tones == ("I", "II")
    assert table.score("accuracy", ALL).value == 0.75
    assert table.score("accuracy", ALL).n == 4
    assert table.score("accuracy", GAP).n == 2
    assert table.score("pqd", ALL).n == 2


def test_tones_come_light_to_dark():
    p, y = two_class([0.9] * 3), np.array([1, 1, 1])

    assert score_table(p, y, ["VI", "I", "III"], CANCER).tones == ("I", "III", "VI")
