"""Every metric's formula, once: over counts with a leading axis of draws, one for a record's score.

A rate of 0/0 is NaN here; `metrics` says of a record's score why it is undefined, and what it needs.
"""

from collections.abc import Callable

import numpy as np

from tonegap.arrays import FloatArray
from tonegap.scores.counts import Counts


def accuracy(c: Counts) -> FloatArray:
    """Correct images over images (micro), [draws, slots]."""
    shares: FloatArray = c.right.sum(axis=-1) / c.n
    return shares


def recalls(c: Counts) -> FloatArray:
    """Share of each class that is recognised, [draws, slots, k]."""
    shares: FloatArray = c.right / c.true
    return shares


def balanced_accuracy(c: Counts) -> FloatArray:
    """Mean recall over all classes. Source: scikit-learn's balanced_accuracy_score."""
    return _mean(recalls(c))


def macro_f1(c: Counts) -> FloatArray:
    """Mean over classes of 2TP / (2TP + FP + FN). Source: scikit-learn's f1_score, "macro"."""
    # 2TP + FP + FN is the images truly of the class plus the images predicted as it.
    return _mean(2 * c.right / (c.true + c.called))


def auc(c: Counts) -> FloatArray:
    """Area under the ROC curve of the event, or the mean over classes of one against the rest.

    Source: Hanley and McNeil 1982; the unweighted one-vs-rest mean is scikit-learn's
    roc_auc_score(multi_class="ovr", average="macro").
    """
    return _mean(c.auc)


def ece(c: Counts) -> FloatArray:
    """Expected calibration error of the most probable class, `N_BINS` equal bins, [draws, slots]."""
    return calibration_error(c.distances, c.n)


def calibration_error(distances: FloatArray, n: FloatArray) -> FloatArray:
    """The mean over bins of |accuracy - confidence|, weighted by the images in the bin, [...].

    `distances` [..., bins]: correct images minus summed confidence; `n` [...] images of all bins. Source: Guo et al.
    2017, arXiv 1706.04599.
    """
    error: FloatArray = np.abs(distances).sum(axis=-1) / n
    return error


def sensitivity(c: Counts) -> FloatArray:
    """Positive images predicted positive, over positive images; the first event's, [draws, slots]."""
    return c.rates[..., 0, 1]


def specificity(c: Counts) -> FloatArray:
    """Negative images predicted negative, over negative images; the first event's, [draws, slots]."""
    negatives = c.events[..., 0, 0, :]
    shares: FloatArray = negatives[..., 0] / negatives.sum(axis=-1)
    return shares


def lowest_over_highest(rates: FloatArray, axis: int = 1, least: float = 0.0) -> FloatArray:
    """The lowest over the highest rate, `least` at least, along an axis of tones; NaN where all are 0."""
    ratio: FloatArray = rates.min(axis=axis) / np.maximum(rates.max(axis=axis), least)
    return ratio


def pqd(c: Counts) -> FloatArray:
    """Lowest over highest accuracy of a tone, [draws]. Predictive quality disparity.

    Source: Du et al. 2022 (FairDisCo), arXiv 2208.10013.
    """
    return lowest_over_highest(accuracy(c)[:, :-1])


def dpm(c: Counts) -> FloatArray:
    """Mean over classes of the lowest over the highest rate, by tone, of predicting the class, [draws].

    Demographic disparity metric. Source: as `pqd`.
    """
    return _mean(lowest_over_highest((c.called / c.n[..., None])[:, :-1]))


def eom(c: Counts) -> FloatArray:
    """Mean over classes of the lowest over the highest recall of the class by tone, [draws].

    Equality of opportunity metric. Source: as `pqd`.
    """
    return _mean(lowest_over_highest(recalls(c)[:, :-1]))


def nar(c: Counts) -> FloatArray:
    """Highest minus lowest accuracy of a tone, over the mean accuracy of the tones, [draws].

    Normalised accuracy range. Source: Pakzad et al. 2022 (CIRCLe).
    """
    tones = accuracy(c)[:, :-1]
    share: FloatArray = gap(tones) / tones.mean(axis=-1)
    return share


def demographic_parity_difference(c: Counts) -> FloatArray:
    """Largest difference between tones in the rate of positive calls; mean over events, [draws].

    Source: fairlearn.metrics.demographic_parity_difference.
    """
    calls = c.events[..., 1].sum(axis=-1) / c.n[..., None]
    return _mean(np.ptp(calls[:, :-1], axis=1))


def equal_opportunity_difference(c: Counts) -> FloatArray:
    """Largest difference between tones in sensitivity; mean over events, [draws].

    Source: fairlearn.metrics.equal_opportunity_difference.
    """
    return _mean(np.ptp(c.rates[:, :-1], axis=1)[..., 1])


def equalized_odds_difference(c: Counts) -> FloatArray:
    """The larger of the differences in sensitivity and in false positive rate; mean over events, [draws].

    Source: fairlearn.metrics.equalized_odds_difference with agg="worst_case".
    """
    return _mean(np.ptp(c.rates[:, :-1], axis=1).max(axis=-1))


Formula = Callable[[Counts], FloatArray]
PER_TONE: tuple[Formula, ...] = (accuracy, balanced_accuracy, macro_f1, auc, ece)
OF_EVENT: tuple[Formula, ...] = (sensitivity, specificity)
BETWEEN_TONES: tuple[Formula, ...] = (
    pqd,
    dpm,
    eom,
    nar,
    demographic_parity_difference,
    equal_opportunity_difference,
    equalized_odds_difference,
)


def metric_values(c: Counts, has_event: bool, between: bool = True) -> dict[str, FloatArray]:
    """Each metric by name: [draws, slots], or [draws, 1] of one that compares the tones; NaN where a rate is 0/0.

    Sensitivity and specificity only with an event; those that compare the tones unless they are not asked for.
    """
    per_tone = PER_TONE + OF_EVENT if has_event else PER_TONE
    with np.errstate(invalid="ignore", divide="ignore"):
        found = {formula.__name__: formula(c) for formula in per_tone}
        if between:
            found |= {formula.__name__: formula(c)[:, None] for formula in BETWEEN_TONES}
        return found


def worst(tones: FloatArray, larger_is_better: bool) -> FloatArray:
    """The worst tone's score, [...] of [..., tones]; NaN where one is."""
    found: FloatArray = tones.min(axis=-1) if larger_is_better else tones.max(axis=-1)
    return found


def gap(tones: FloatArray) -> FloatArray:
    """Largest minus smallest score over tones, in the score's unit; 0 means parity, [...] of [..., tones].

    NaN if any tone's is. Source: the "between groups" difference of fairlearn's MetricFrame, without its skipping
    of NaN.
    """
    found: FloatArray = np.ptp(tones, axis=-1)
    return found


def _mean(values: FloatArray) -> FloatArray:
    mean: FloatArray = values.mean(axis=-1)
    return mean
