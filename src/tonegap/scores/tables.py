"""What a score is, which metrics there are, and in which order they are listed.

The mistake it exists to prevent: a number without its count, or a hole that reads like a zero.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

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
    the tones itself and has one value, listed under `all`.
    """

    name: str
    larger_is_better: bool
    per_tone: bool
    meaning: str
    source: str


_FAIRDISCO = "Du et al. 2022 (FairDisCo), arXiv 2208.10013"

METRICS: tuple[Metric, ...] = (
    Metric(
        "accuracy",
        larger_is_better=True,
        per_tone=True,
        meaning="share of images whose most probable class is the true one",
        source="scikit-learn, accuracy_score",
    ),
    Metric(
        "balanced_accuracy",
        larger_is_better=True,
        per_tone=True,
        meaning="mean over all classes of the share of the class that is recognised",
        source="scikit-learn, balanced_accuracy_score",
    ),
    Metric(
        "macro_f1",
        larger_is_better=True,
        per_tone=True,
        meaning="mean over all classes of 2TP / (2TP + FP + FN)",
        source="scikit-learn, f1_score with average='macro'",
    ),
    Metric(
        "auc",
        larger_is_better=True,
        per_tone=True,
        meaning="probability that a positive image scores above a negative one (no "
        "event: mean of each class against the rest)",
        source="Hanley and McNeil 1982",
    ),
    Metric(
        "ece",
        larger_is_better=False,
        per_tone=True,
        meaning="mean distance of confidence from accuracy, in 15 equal bins of the confidence",
        source="Guo et al. 2017, arXiv 1706.04599",
    ),
    Metric(
        "sensitivity",
        larger_is_better=True,
        per_tone=True,
        meaning="share of the positive images that are predicted positive",
        source="fairlearn 0.15, true_positive_rate",
    ),
    Metric(
        "specificity",
        larger_is_better=True,
        per_tone=True,
        meaning="share of the negative images that are predicted negative",
        source="fairlearn 0.15, true_negative_rate",
    ),
    Metric(
        "pqd",
        larger_is_better=True,
        per_tone=False,
        meaning="lowest accuracy of a tone over the highest",
        source=_FAIRDISCO,
    ),
    Metric(
        "dpm",
        larger_is_better=True,
        per_tone=False,
        meaning="lowest over highest rate, by tone, of predicting a class; mean over classes",
        source=_FAIRDISCO,
    ),
    Metric(
        "eom",
        larger_is_better=True,
        per_tone=False,
        meaning="lowest over highest recall of a class by tone; mean over classes",
        source=_FAIRDISCO,
    ),
    Metric(
        "nar",
        larger_is_better=False,
        per_tone=False,
        meaning="highest minus lowest accuracy of a tone, over the mean accuracy of the tones",
        source="Pakzad et al. 2022 (CIRCLe)",
    ),
    Metric(
        "demographic_parity_difference",
        larger_is_better=False,
        per_tone=False,
        meaning="largest difference between tones in the rate of positive calls",
        source="fairlearn 0.15, function of the same name",
    ),
    Metric(
        "equal_opportunity_difference",
        larger_is_better=False,
        per_tone=False,
        meaning="largest difference between tones in sensitivity",
        source="fairlearn 0.15, function of the same name",
    ),
    Metric(
        "equalized_odds_difference",
        larger_is_better=False,
        per_tone=False,
        meaning="largest difference between tones in sensitivity or in false positive "
        "rate, the larger",
        source="fairlearn 0.15, function of the same name with agg='worst_case'",
    ),
)
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


def largest_difference(name: str) -> float:
    """The most that two values of a metric can differ by: 1 for shares; a ratio to a mean has no such bound."""
    return float("inf") if name == "nar" else 1.0
