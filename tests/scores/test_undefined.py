"""Undefined is not zero: no value, and a reason that names the tone."""

import numpy as np
import pytest

from tonegap.errors import BadRequest
from tonegap.scores.metrics import score_table
from tonegap.scores.rules import ScoringRules, default_positive
from tonegap.scores.tables import ALL, GAP, METRICS, WORST

CLASSES = ("benign", "malignant")
CANCER = ScoringRules(CLASSES, ("malignant",))


def two_class(p_malignant):
    p = np.array(p_malignant, dtype=float)
    return np.stack([1 - p, p], axis=1)


# V-VI has no malignant image; fairlearn gives it a sensitivity of 0.0.
P = two_class([0.2, 0.9, 0.1, 0.3])
Y = np.array([0, 1, 0, 0])
TONES = ["I-II", "I-II", "V-VI", "V-VI"]
NO_MALIGNANT = "V-VI has 0 malignant images (min_support 1)"


@pytest.fixture(scope="module")
def no_malignant():
    return score_table(P, Y, TONES, CANCER)


@pytest.mark.parametrize("metric", ["sensitivity", "auc", "balanced_accuracy", "macro_f1"])
@pytest.mark.parametrize("tone", ["V-VI", WORST, GAP])
def test_gap_is_undefined_when_a_tone_has_no_positives(no_malignant, metric, tone):
    score = no_malignant.score(metric, tone)

    assert score.value is None
    assert score.reason == NO_MALIGNANT


@pytest.mark.parametrize("metric", ["sensitivity", "auc"])
def test_a_hole_in_one_tone_leaves_the_others_and_all_defined(no_malignant, metric):
    assert no_malignant.score(metric, "I-II").value == 1.0
    assert no_malignant.score(metric, ALL).value == 1.0


@pytest.mark.parametrize(
    "metric", ["eom", "equal_opportunity_difference", "equalized_odds_difference"]
)
def test_differences_in_recall_are_undefined_when_a_tone_lacks_a_class(no_malignant, metric):
    score = no_malignant.score(metric, ALL)

    assert score.value is None
    assert score.reason == NO_MALIGNANT


@pytest.mark.parametrize(
    "metric", ["accuracy", "ece", "specificity", "pqd", "nar", "demographic_parity_difference"]
)
def test_what_needs_no_positives_stays_defined(no_malignant, metric):
    tone = GAP if metric in {"accuracy", "ece", "specificity"} else ALL

    assert no_malignant.score(metric, tone).value is not None


def test_an_expected_tone_without_images_is_listed_and_undefined():
    rules = ScoringRules(CLASSES, ("malignant",), tones=("I-II", "III-IV", "V-VI"))

    table = score_table(P, Y, TONES, rules)

    score = table.score("accuracy", "III-IV")
    assert (score.value, score.n) == (None, 0)
    assert score.reason == "III-IV has 0 images (min_support 1)"
    for metric in ("accuracy", "ece"):
        assert table.score(metric, GAP).value is None
    for metric in ("pqd", "dpm", "nar", "demographic_parity_difference"):
        assert table.score(metric, ALL).reason == "III-IV has 0 images (min_support 1)"


def test_a_tone_outside_the_expected_ones_is_refused():
    rules = ScoringRules(CLASSES, ("malignant",), tones=("I-II", "III-IV"))

    with pytest.raises(BadRequest, match="V-VI"):
        score_table(P, Y, TONES, rules)


def test_min_support_counts_images_per_tone_and_class():
    rules = ScoringRules(CLASSES, ("malignant",), min_support=2)

    table = score_table(P, Y, TONES, rules)

    assert table.score("accuracy", "I-II").value == 1.0
    assert table.score("sensitivity", "I-II").reason == (
        "I-II has 1 malignant image (min_support 2)"
    )
    assert table.score("specificity", "I-II").reason == "I-II has 1 benign image (min_support 2)"
    assert table.score("sensitivity", ALL).reason == (
        "the whole set has 1 malignant image (min_support 2)"
    )
    assert table.score("sensitivity", GAP).reason == (
        "not defined for I-II, V-VI: I-II has 1 malignant image (min_support 2), …"
    )


def test_min_support_of_a_tone_is_met_exactly():
    rules = ScoringRules(CLASSES, ("malignant",), min_support=2)

    assert score_table(P, Y, TONES, rules).score("accuracy", GAP).value == 0.0


def test_pqd_and_nar_are_undefined_when_no_tone_has_a_correct_image():
    table = score_table(two_class([0.9, 0.9]), np.array([0, 0]), ["I", "II"], CANCER)

    for metric in ("pqd", "nar"):
        assert table.score(metric, ALL).value is None
        assert "no tone has a correct image" in table.score(metric, ALL).reason
    assert table.score("accuracy", "I").value == 0.0


def test_pqd_is_zero_when_only_one_tone_is_never_right():
    table = score_table(two_class([0.9, 0.9]), np.array([0, 1]), ["I", "II"], CANCER)

    assert table.score("pqd", ALL).value == 0.0


def test_dpm_and_eom_are_undefined_when_a_class_is_never_predicted():
    table = score_table(
        two_class([0.1] * 4), np.array([0, 1, 0, 1]), ["I", "I", "II", "II"], CANCER
    )

    assert table.score("dpm", ALL).reason == (
        "malignant is never predicted in any tone, so the ratio is 0/0"
    )
    assert table.score("eom", ALL).reason == (
        "malignant is never recognised in any tone, so the ratio is 0/0"
    )


def test_without_an_event_sensitivity_and_specificity_are_undefined():
    rules = ScoringRules(("a", "b", "c"))
    table = score_table(np.eye(3), np.arange(3), ["I", "I", "II"], rules)

    for metric in ("sensitivity", "specificity"):
        for tone in ("I", ALL, WORST):
            assert table.score(metric, tone).value is None
            assert table.score(metric, tone).reason == (
                "no positive class is declared; pass --positive"
            )


def test_one_tone_has_a_worst_but_no_gap():
    table = score_table(two_class([0.1, 0.9]), np.array([0, 1]), ["I", "I"], CANCER)

    assert table.score("accuracy", WORST).value == 1.0
    assert table.score("accuracy", GAP).value is None
    assert table.score("accuracy", GAP).reason == (
        "comparing needs images of two tones or more, and there is only I"
    )
    assert table.score("pqd", ALL).value is None


def test_no_known_tone_leaves_only_all():
    table = score_table(two_class([0.1, 0.9]), np.array([0, 1]), [None, None], CANCER)

    assert table.score("accuracy", ALL).value == 1.0
    assert table.score("accuracy", WORST).reason == "no image has a known tone"
    assert table.score("accuracy", GAP).value is None


def test_no_images_at_all_give_no_values():
    rules = ScoringRules(CLASSES, ("malignant",), tones=("I", "II"))

    table = score_table(np.zeros((0, 2)), np.zeros(0, dtype=np.int64), [], rules)

    assert all(score.value is None and score.reason for score in table)


def test_a_long_reason_names_three_and_counts_the_rest():
    names = tuple("abcdef")
    p = np.eye(6)[[0, 0]]

    reason = score_table(p, np.array([0, 0]), ["I", "II"], ScoringRules(names)).score("eom", ALL)

    assert reason.reason == (
        "I has 0 b images, I has 0 c images, I has 0 d images and 7 more such (min_support 1)"
    )


@pytest.mark.parametrize(
    ("classes", "positive"),
    [
        (("malignant", "benign"), ("malignant",)),
        (("a", "malignant", "b"), ("malignant",)),
        (("a", "b"), ("b",)),
        (("a", "b", "c"), ()),
    ],
)
def test_default_event(classes, positive):
    assert default_positive(classes) == positive


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"classes": ("a",)}, "two classes"),
        ({"classes": ("a", "b"), "positive": ("c",)}, "'c' is none of the classes"),
        ({"classes": ("a", "b"), "positive": ("a", "b")}, "every class"),
        (
            {"classes": ("a", "b"), "positive": ("a",), "threshold": 1.5},
            "wanted a number from 0 to 1",
        ),
        (
            {"classes": ("a", "b"), "positive": ("a",), "threshold": float("nan")},
            "wanted a number from 0 to 1",
        ),
        ({"classes": ("a", "b", "c"), "threshold": 0.5}, "needs a positive class"),
        ({"classes": ("a", "b"), "min_support": 0}, "wanted a whole number of images from 1"),
    ],
)
def test_contradicting_rules_are_refused(arguments, words):
    with pytest.raises(BadRequest, match=words):
        ScoringRules(**arguments)


def test_every_metric_says_what_it_means_and_where_it_is_from():
    assert all(metric.meaning and metric.source for metric in METRICS)
