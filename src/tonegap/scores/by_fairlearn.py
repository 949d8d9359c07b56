"""Every table of scores beside fairlearn's: shares and gaps of each tone are computed by its MetricFrame as well.

The mistake it exists to prevent: a formula of ours that drifts from what the field means by the name.
"""

from collections.abc import Callable

import numpy as np

from tonegap.arrays import FloatArray, IntArray
from tonegap.scores.counts import Answers
from tonegap.scores.formulas import gap

_TOLERANCE = 1e-12


def check_by_fairlearn(
    values: dict[str, FloatArray], y: IntArray, tone: IntArray, said: Answers
) -> None:
    """Holds accuracy, sensitivity and specificity by tone, and their gaps, against those of fairlearn's MetricFrame.

    `values` [draws, slots] by metric, as `metric_values` gives them; `tone` [n] numbers tones, -1 is unknown. Rates are
    compared where one event is declared. Raises ArithmeticError, naming metric and numbers, where they differ.
    """
    from fairlearn.metrics import MetricFrame, true_negative_rate, true_positive_rate
    from sklearn.metrics import accuracy_score

    known = tone >= 0
    if known.sum() < 2:  # MetricFrame takes no single image
        return
    tones = np.unique(tone[known])
    metrics: dict[str, Callable[..., float]] = {"accuracy": accuracy_score}
    sides: dict[str, IntArray] = {}
    if "sensitivity" in values and said.positive.shape[1] == 1:
        sides = {
            "event": said.positive[known, 0].astype(int),
            "called": said.called[known, 0].astype(int),
        }
        metrics["sensitivity"] = lambda _y, _p, event, called: true_positive_rate(event, called)
        metrics["specificity"] = lambda _y, _p, event, called: true_negative_rate(event, called)
    # Undefined here is 0.0 there.
    metrics = {n: m for n, m in metrics.items() if np.isfinite(values[n][0, tones]).all()}
    if not metrics:
        return
    # One frame for all: it is making one that takes the time.
    frame = MetricFrame(
        metrics=metrics,
        y_true=y[known],
        y_pred=said.predicted[known],
        sensitive_features=tone[known],
        sample_params={name: sides for name in metrics if name != "accuracy"},
    )
    gaps = frame.difference()
    there = {name: [*frame.by_group[name].to_numpy(float), gaps[name]] for name in metrics}
    _compare(values, tones, there)


def _compare(values: dict[str, FloatArray], tones: IntArray, there: dict[str, list[float]]) -> None:
    """Raises ArithmeticError where a metric by tone, or its gap, which comes last, is another there."""
    for name, numbers in there.items():
        ours, theirs = values[name][0, tones], np.array(numbers)
        found = np.array([*ours, gap(ours)])
        if np.abs(theirs - found).max() > _TOLERANCE:
            raise ArithmeticError(
                f"{name} by tone is {found.tolist()} here and {theirs.tolist()} by fairlearn; wanted the same: please "
                "report this with the predictions"
            )
