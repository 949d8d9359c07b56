"""Every table of scores beside fairlearn's: shares of each tone are computed by its functions as well.

The mistake it exists to prevent: a formula of ours that drifts from what the field means by the name.
"""

from collections.abc import Callable

import numpy as np

from tonegap.arrays import FloatArray, IntArray
from tonegap.scores.counts import Answers
from tonegap.scores.formulas import gap

_TOLERANCE = 1e-12
# A function of truth [n] and calls [n], and both.
_Metric = tuple[Callable[..., float], IntArray, IntArray]


def check_by_fairlearn(
    values: dict[str, FloatArray],
    y: IntArray,
    tone: IntArray,
    said: Answers,
    *,
    framed: bool = True,
) -> None:
    """Holds accuracy, sensitivity and specificity by tone against scikit-learn's and fairlearn's functions.

    `framed`: MetricFrame splits the images, and its gaps are compared as well; that takes five times as long.
    `values` [draws, slots] by metric, as `metric_values` gives them; `tone` [n] numbers tones, -1 is unknown. Rates are
    compared where one event is declared. Raises ArithmeticError, naming metric and numbers, where they differ.
    """
    from fairlearn.metrics import true_negative_rate, true_positive_rate
    from sklearn.metrics import accuracy_score

    known = tone >= 0
    if known.sum() < 2:  # MetricFrame takes no single image
        return
    of_tone = tone[known]
    tones = np.unique(of_tone)
    metrics: dict[str, _Metric] = {"accuracy": (accuracy_score, y[known], said.predicted[known])}
    if "sensitivity" in values and said.positive.shape[1] == 1:
        sides = said.positive[known, 0].astype(int), said.called[known, 0].astype(int)
        metrics["sensitivity"] = (true_positive_rate, *sides)
        metrics["specificity"] = (true_negative_rate, *sides)
    # Undefined here is 0.0 there.
    metrics = {n: m for n, m in metrics.items() if np.isfinite(values[n][0, tones]).all()}
    if not metrics:
        return
    if framed:
        _compare(values, tones, _by_frame(metrics, of_tone))
        return
    rows = [of_tone == number for number in tones]
    _compare(values, tones, {n: [f(y[r], p[r]) for r in rows] for n, (f, y, p) in metrics.items()})


def _by_frame(metrics: dict[str, _Metric], of_tone: IntArray) -> dict[str, list[float]]:
    """Of each metric the value of each tone, then the gap."""
    from fairlearn.metrics import MetricFrame

    def given(of: Callable[..., float]) -> Callable[..., float]:
        return lambda _y, _p, truth, called: of(truth, called)

    _, truth, called = next(iter(metrics.values()))
    # One frame for all: it is making one that takes the time.
    frame = MetricFrame(
        metrics={name: given(of) for name, (of, _, _) in metrics.items()},
        y_true=truth,
        y_pred=called,
        sensitive_features=of_tone,
        sample_params={name: {"truth": y, "called": p} for name, (_, y, p) in metrics.items()},
    )
    gaps = frame.difference()
    return {name: [*frame.by_group[name].to_numpy(float), gaps[name]] for name in metrics}


def _compare(values: dict[str, FloatArray], tones: IntArray, there: dict[str, list[float]]) -> None:
    """Raises ArithmeticError where a metric by tone, or its gap, which comes last where it is there, differs."""
    for name, numbers in there.items():
        ours, theirs = values[name][0, tones], np.array(numbers)
        found = np.array([*ours, gap(ours)])[: len(theirs)]
        if np.abs(theirs - found).max() > _TOLERANCE:
            raise ArithmeticError(
                f"{name} by tone is {found.tolist()} here and {theirs.tolist()} by fairlearn; wanted the same: please "
                "report this with the predictions"
            )
