"""Every table of scores beside fairlearn's: shares and gaps of each tone are computed by its MetricFrame as well.

The mistake it exists to prevent: a formula of ours that drifts from what the field means by the name.
"""

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
    frames = {"accuracy": (accuracy_score, y[known], said.predicted[known])}
    if "sensitivity" in values and said.positive.shape[1] == 1:
        sides = said.positive[known, 0].astype(int), said.called[known, 0].astype(int)
        frames |= {"sensitivity": (true_positive_rate, *sides)}
        frames |= {"specificity": (true_negative_rate, *sides)}
    for name, (metric, truth, predicted) in frames.items():
        ours = values[name][0, tones]
        if not np.isfinite(ours).all():
            continue  # undefined here, and 0.0 there
        frame = MetricFrame(
            metrics=metric, y_true=truth, y_pred=predicted, sensitive_features=tone[known]
        )
        theirs = np.array([*frame.by_group.to_numpy(float), frame.difference()])
        found = np.array([*ours, gap(ours)])
        if np.abs(theirs - found).max() > _TOLERANCE:
            raise ArithmeticError(
                f"{name} by tone is {found.tolist()} here and {theirs.tolist()} by fairlearn; wanted the same: please "
                "report this with the predictions"
            )
