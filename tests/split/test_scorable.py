"""What cannot be scored is said before anything is trained."""

from dataclasses import dataclass

import pytest

from tonegap.errors import BadRequest, BadSplit
from tonegap.scores.rules import ScoringRules
from tonegap.split.scorable import check_scorable, check_support


@dataclass(frozen=True)
class Part:
    labels: tuple[str, ...]
    tones: tuple[str | None, ...]


RULES = ScoringRules(("no", "yes"), ("yes",), None, 1, ("I", "VI"))
BOTH = Part(("no", "yes"), ("I", "VI"))
NO_YES = Part(("no", "no"), ("I", "VI"))


def check(validation: Part, test: Part, metric: str, rules: ScoringRules = RULES) -> None:
    check_scorable("clinic/t", rules, metric, validation, test)


@pytest.mark.parametrize("metric", ["accuracy", "balanced_accuracy", "auc", "worst_tone_accuracy"])
def test_what_can_be_scored_passes(metric: str) -> None:
    check(BOTH, BOTH, metric)


def test_a_test_image_of_a_tone_that_is_not_scored() -> None:
    with pytest.raises(BadRequest, match="clinic/t: test images have the tones III, which are not"):
        check(BOTH, Part(("no", "yes"), ("I", "III")), "accuracy")


def test_a_validation_image_of_another_tone_is_fine() -> None:
    check(Part(("no", "yes"), ("III", None)), BOTH, "accuracy")


@pytest.mark.parametrize("metric", ["auc", "balanced_accuracy"])
@pytest.mark.parametrize(
    ("validation", "test", "name"), [(NO_YES, BOTH, "validation"), (BOTH, NO_YES, "test")]
)
def test_a_selection_metric_that_lacks_a_class(
    metric: str, validation: Part, test: Part, name: str
) -> None:
    words = f"clinic/t: no epoch can be selected by {metric} on the {name} images: .*yes"
    with pytest.raises(BadSplit, match=words):
        check(validation, test, metric)


def test_accuracy_needs_no_class() -> None:
    check(NO_YES, NO_YES, "accuracy")


def test_the_worst_of_no_known_tone() -> None:
    with pytest.raises(BadSplit, match="validation images: no image has a known tone"):
        check(Part(("no",), (None,)), BOTH, "worst_tone_accuracy")


TWO = ScoringRules(("no", "yes"), ("yes",), None, 2, ("I", "VI"))
PAIRS = Part(("no", "no", "yes", "yes") * 2, ("I",) * 4 + ("VI",) * 4)


@pytest.mark.parametrize("metric", ["accuracy", "auc", "sensitivity", "pqd", "eom", "ece"])
def test_enough_images_of_each_tone_support_every_metric(metric: str) -> None:
    check_support("clinic/t", TWO, metric, PAIRS)


@pytest.mark.parametrize("metric", ["accuracy", "pqd"])
def test_a_scored_tone_without_support_is_named(metric: str) -> None:
    part = Part(("no", "yes", "no"), ("I", "I", "VI"))
    words = (
        rf"clinic/t: nothing could be ranked by {metric} on .*: VI has 1 image \(min_support 2\)"
    )
    with pytest.raises(BadSplit, match=words):
        check_support("clinic/t", TWO, metric, part)


def test_a_scored_tone_without_any_image_is_named() -> None:
    with pytest.raises(BadSplit, match="VI has 0 images"):
        check_support("clinic/t", RULES, "accuracy", Part(("no",), ("I",)))


@pytest.mark.parametrize(("metric", "kind"), [("sensitivity", "yes"), ("balanced_accuracy", "yes")])
def test_a_tone_that_lacks_a_class_does_not_support_what_needs_it(metric: str, kind: str) -> None:
    part = Part(("no", "no", "yes", "yes", "no", "no"), ("I",) * 4 + ("VI",) * 2)
    check_support("clinic/t", TWO, "accuracy", part)
    with pytest.raises(BadSplit, match=f"VI has 0 {kind} images"):
        check_support("clinic/t", TWO, metric, part)


@pytest.mark.parametrize(
    ("metric", "lack"),
    [
        ("equalized_odds_difference", "yes"),
        ("equal_opportunity_difference", "yes"),
        ("eom", "yes"),
        ("sensitivity", "yes"),
    ],
)
def test_a_metric_between_tones_lacks_what_it_divides_by(metric: str, lack: str) -> None:
    test = Part(("no", "yes", "no"), ("I", "I", "VI"))
    with pytest.raises(
        BadSplit, match=f"nothing could be ranked by {metric} .*VI has 0 {lack} images"
    ):
        check_support("clinic/t", RULES, metric, test)
    check_support(
        "clinic/t", RULES, metric, Part(("no", "yes", "no", "yes"), ("I", "I", "VI", "VI"))
    )


def test_one_tone_has_nothing_to_be_compared_with() -> None:
    alone = ScoringRules(("no", "yes"), ("yes",), None, 1, ("I",))
    with pytest.raises(BadSplit, match="ranked by pqd, which compares tones: one tone is scored"):
        check_support("clinic/t", alone, "pqd", BOTH)
