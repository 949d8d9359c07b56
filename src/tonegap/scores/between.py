"""Metrics that compare the tones: formulas over the counts of two tones or more.

In all of them the counts come light to dark; a rate array is [tones, ...]. Each needs `min_support`
in every tone. Where a ratio is 0/0 (nobody ever gets the class right) it is undefined as well.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.arrays import FloatArray
from tonegap.scores import per_tone
from tonegap.scores.counts import ToneCounts
from tonegap.scores.rules import ScoringRules
from tonegap.scores.undefined import Outcome, Support, Undefined, name_some, shortage

Counts = Sequence[ToneCounts]


def pqd(counts: Counts, _rules: ScoringRules) -> Outcome:
    """Lowest over highest accuracy of a tone; undefined if no tone has a correct image.

    Predictive quality disparity. Source: Du et al. 2022 (FairDisCo), arXiv 2208.10013.
    """
    accuracies = _accuracies(counts)
    if not accuracies.max():
        return Undefined("no tone has a correct image, so the ratio is 0/0")
    return float(accuracies.min() / accuracies.max())


def dpm(counts: Counts, rules: ScoringRules) -> Outcome:
    """Mean over classes of the lowest over the highest rate, by tone, of predicting the class.

    Undefined if a class is never predicted. Demographic disparity metric. Source: as `pqd`.
    """
    rates = np.stack([c.confusion.sum(axis=0) / c.n for c in counts])
    return _mean_ratio(rates, rules.classes, "never predicted")


def eom(counts: Counts, rules: ScoringRules) -> Outcome:
    """Mean over classes of the lowest over the highest recall of the class by tone.

    Undefined if a class is never recognised. Equality of opportunity metric. Source: as `pqd`.
    """
    recalls = np.stack([per_tone.recalls(c) for c in counts])
    return _mean_ratio(recalls, rules.classes, "never recognised")


def nar(counts: Counts, _rules: ScoringRules) -> Outcome:
    """Highest minus lowest accuracy of a tone, over the mean accuracy of the tones.

    Undefined if no tone has a correct image. Normalised accuracy range. Source: Pakzad et al. 2022
    (CIRCLe).
    """
    accuracies = _accuracies(counts)
    if not accuracies.max():
        return Undefined("no tone has a correct image, so the ratio is 0/0")
    return float((accuracies.max() - accuracies.min()) / accuracies.mean())


def demographic_parity_difference(counts: Counts, _rules: ScoringRules) -> Outcome:
    """Largest difference between tones in the rate of positive calls; mean over events.

    Source: fairlearn.metrics.demographic_parity_difference.
    """
    return float(_spread([c.events[:, :, 1].sum(axis=-1) / c.n for c in counts]).mean())


def equal_opportunity_difference(counts: Counts, _rules: ScoringRules) -> Outcome:
    """Largest difference between tones in sensitivity; mean over events.

    Source: fairlearn.metrics.equal_opportunity_difference.
    """
    return float(_spread([per_tone.true_positive_rates(c) for c in counts]).mean())


def equalized_odds_difference(counts: Counts, _rules: ScoringRules) -> Outcome:
    """The larger of the differences in sensitivity and in false positive rate; mean over events.

    Source: fairlearn.metrics.equalized_odds_difference with agg="worst_case".
    """
    sensitivities = _spread([per_tone.true_positive_rates(c) for c in counts])
    false_alarms = _spread([per_tone.false_positive_rates(c) for c in counts])
    return float(np.maximum(sensitivities, false_alarms).mean())


@dataclass(frozen=True)
class _Between:
    needs: Callable[[ToneCounts, ScoringRules], list[Support]]
    value: Callable[[Counts, ScoringRules], Outcome]


_METRICS = {
    "pqd": _Between(per_tone.any_images, pqd),
    "dpm": _Between(per_tone.any_images, dpm),
    "eom": _Between(per_tone.each_class, eom),
    "nar": _Between(per_tone.any_images, nar),
    "demographic_parity_difference": _Between(per_tone.any_images, demographic_parity_difference),
    "equal_opportunity_difference": _Between(per_tone.positives, equal_opportunity_difference),
    "equalized_odds_difference": _Between(per_tone.both_sides, equalized_odds_difference),
}


def score_between(metric: str, counts: Counts, rules: ScoringRules) -> Outcome:
    """A metric over the counts of all tones; undefined below `min_support` or with one tone."""
    too_few = fewer_than_two(counts)
    if too_few:
        return too_few
    formula = _METRICS[metric]
    supports = [s for c in counts for s in formula.needs(c, rules)]
    return shortage(supports, rules.min_support) or formula.value(counts, rules)


def fewer_than_two(counts: Counts) -> Undefined | None:
    """Undefined if there are not two tones to compare."""
    if len(counts) >= 2:
        return None
    found = f"only {counts[0].tone}" if counts else "none"
    return Undefined(f"comparing needs images of two tones or more, and there is {found}")


def _accuracies(counts: Counts) -> FloatArray:
    return np.array([per_tone.accuracy(c) for c in counts])


def _spread(rates: list[FloatArray]) -> FloatArray:
    spread: FloatArray = np.ptp(np.stack(rates), axis=0)
    return spread


def _mean_ratio(rates: FloatArray, classes: Sequence[str], never: str) -> Outcome:
    """Mean over classes of lowest over highest rate, from [tones, k]."""
    highest = rates.max(axis=0)
    absent = [name for name, top in zip(classes, highest, strict=True) if not top]
    if absent:
        verb = "is" if len(absent) == 1 else "are"
        return Undefined(f"{name_some(absent)} {verb} {never} in any tone, so the ratio is 0/0")
    return float((rates.min(axis=0) / highest).mean())
