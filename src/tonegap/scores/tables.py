"""Defines a score, the metrics, the order they are listed in, and the bins of the calibration error (ECE).

The mistake it exists to prevent: a number without its count, or a hole that reads like a zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from tonegap.errors import BadRequest

ALL = "all"
WORST = "worst"
GAP = "gap"


@dataclass(frozen=True)
class Score:
    """One metric for one tone, for `all`, `worst` or `gap`.

    `value` is None where the score is undefined, and then `reason` says why. `n` counts the images
    the score speaks of.
    """

    metric: str
    tone: str
    value: float | None
    n: int
    reason: str | None


@dataclass(frozen=True)
class ScoreTable:
    """Every score of one set of predictions, in the order of METRICS."""

    scores: tuple[Score, ...]

    @cached_property
    def _by_name(self) -> dict[tuple[str, str], Score]:
        return {(s.metric, s.tone): s for s in self.scores}

    def __iter__(self) -> Iterator[Score]:
        return iter(self.scores)

    def score(self, metric: str, tone: str) -> Score:
        """The score of a metric for a tone, `all`, `worst` or `gap`; KeyError if there is none."""
        return self._by_name[metric, tone]

    @property
    def tones(self) -> tuple[str, ...]:
        """The tones scored, light to dark, without `all`, `worst` and `gap`."""
        rows = (s.tone for s in self.scores if s.metric == METRICS[0].name)
        return tuple(tone for tone in rows if tone not in (ALL, WORST, GAP))


@dataclass(frozen=True)
class Metric:
    """What a reader has to know of a metric.

    `per_tone`: it has a value for each tone, and so a worst tone and a gap. Otherwise it compares
    the tones itself and has one value, listed under `all`. `needs` says of what it divides by in each tone: its
    "images", those of all "classes", the "positives" or "negatives" of every event, or both "sides".
    """

    name: str
    larger_is_better: bool
    per_tone: bool
    needs: str
    meaning: str
    source: str

    @property
    def needs_event(self) -> bool:
        """Whether there is none without a positive class."""
        return self.name in {"sensitivity", "specificity"}


N_BINS = 15  # of the calibration error; said here alone
_FAIRDISCO = "Du et al. 2022 (FairDisCo), arXiv 2208.10013"
_DIFFERENCE = "fairlearn 0.15, function of the same name"
_LARGER, _SMALLER, _OF_TONES, _BETWEEN = True, False, True, False

METRICS: tuple[Metric, ...] = (
    Metric("accuracy", _LARGER, _OF_TONES, "images",
           "share of images whose most probable class is the true one",
           "scikit-learn, accuracy_score"),
    Metric("balanced_accuracy", _LARGER, _OF_TONES, "classes",
           "mean over all classes of the share of the class that is recognised",
           "scikit-learn, balanced_accuracy_score"),
    Metric("macro_f1", _LARGER, _OF_TONES, "classes",
           "mean over all classes of 2TP / (2TP + FP + FN)",
           "scikit-learn, f1_score with average='macro'"),
    Metric("auc", _LARGER, _OF_TONES, "sides",
           "probability that a positive image scores above a negative one (no "
           "event: mean of each class against the rest)",
           "Hanley and McNeil 1982"),
    Metric("ece", _SMALLER, _OF_TONES, "images",
           f"mean distance of confidence from accuracy, in {N_BINS} equal bins of the confidence",
           "Guo et al. 2017, arXiv 1706.04599"),
    Metric("sensitivity", _LARGER, _OF_TONES, "positives",
           "share of the positive images that are predicted positive",
           "fairlearn 0.15, true_positive_rate"),
    Metric("specificity", _LARGER, _OF_TONES, "negatives",
           "share of the negative images that are predicted negative",
           "fairlearn 0.15, true_negative_rate"),
    Metric("pqd", _LARGER, _BETWEEN, "images",
           "lowest accuracy of a tone over the highest",
           _FAIRDISCO),
    Metric("dpm", _LARGER, _BETWEEN, "images",
           "lowest over highest rate, by tone, of predicting a class; mean over classes",
           _FAIRDISCO),
    Metric("eom", _LARGER, _BETWEEN, "classes",
           "lowest over highest recall of a class by tone; mean over classes",
           _FAIRDISCO),
    Metric("nar", _SMALLER, _BETWEEN, "images",
           "highest minus lowest accuracy of a tone, over the mean accuracy of the tones",
           "Pakzad et al. 2022 (CIRCLe)"),
    Metric("demographic_parity_difference", _SMALLER, _BETWEEN, "images",
           "largest difference between tones in the rate of positive calls",
           _DIFFERENCE),
    Metric("equal_opportunity_difference", _SMALLER, _BETWEEN, "positives",
           "largest difference between tones in sensitivity",
           _DIFFERENCE),
    Metric("equalized_odds_difference", _SMALLER, _BETWEEN, "sides",
           "largest difference between tones in sensitivity or in false positive rate, the larger",
           _DIFFERENCE + " with agg='worst_case'"),
)  # fmt: skip
SELECTION_METRICS = ("accuracy", "balanced_accuracy", "auc", "worst_tone_accuracy")
# What rests on the event: its probability, or whether an image is predicted positive.
OF_CALLS = frozenset(
    {
        "sensitivity",
        "specificity",
        "demographic_parity_difference",
        "equal_opportunity_difference",
        "equalized_odds_difference",
    }
)
OF_EVENT = OF_CALLS | {"auc"}
METRIC_NAMES: tuple[str, ...] = tuple(metric.name for metric in METRICS)
_METRIC_NAMED = {metric.name: metric for metric in METRICS}


def metric_named(name: str) -> Metric:
    """The metric of that name; KeyError if there is none."""
    return _METRIC_NAMED[name]


def check_per_tone(name: str) -> None:
    """Raises BadRequest for a metric that has no value for each tone, or is none."""
    per_tone = [metric.name for metric in METRICS if metric.per_tone]
    if name not in per_tone:
        raise BadRequest(
            f"metric {name!r} has no value for each tone; those that have are {', '.join(per_tone)}"
        )


def largest_difference(name: str) -> float:
    """The most that two values of a metric can differ by: 1 for shares; a ratio to a mean has no such bound."""
    return float("inf") if name == "nar" else 1.0
