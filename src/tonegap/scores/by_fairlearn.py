"""Every table of scores beside fairlearn's: shares and gaps of each tone are computed by its MetricFrame as well.

The mistake it exists to prevent: a formula of ours that drifts from what the field means by the name.
"""

from functools import partial

import numpy as np

from tonegap.arrays import BoolArray, FloatArray, IntArray
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
    from fairlearn.metrics import MetricFrame

    known = tone >= 0
    if known.sum() < 2:  # MetricFrame takes no single image
        return
    tones = np.unique(tone[known])
    shares = {"accuracy": (y == said.predicted, np.ones_like(known))}
    if "sensitivity" in values and said.positive.shape[1] == 1:
        is_positive, is_called = said.positive[:, 0].astype(bool), said.called[:, 0].astype(bool)
        shares |= {"sensitivity": (is_called, is_positive)}
        shares |= {"specificity": (~is_called, ~is_positive)}
    # Undefined here is 0.0 there.
    shares = {name: s for name, s in shares.items() if np.isfinite(values[name][0, tones]).all()}
    rows = np.flatnonzero(known)
    frame = MetricFrame(
        metrics={name: partial(_share, right, of) for name, (right, of) in shares.items()},
        y_true=rows,
        y_pred=rows,
        sensitive_features=tone[known],
    )
    between = frame.difference()
    for name in shares:
        ours = values[name][0, tones]
        theirs = np.array([*frame.by_group[name].to_numpy(float), between[name]])
        found = np.array([*ours, gap(ours)])
        if np.abs(theirs - found).max() > _TOLERANCE:
            raise ArithmeticError(
                f"{name} by tone is {found.tolist()} here and {theirs.tolist()} by fairlearn; wanted the same: please "
                "report this with the predictions"
            )


def _share(right: BoolArray, of: BoolArray, rows: IntArray, _same: IntArray) -> float:
    """The share of a group's images, given as rows, on which an answer is right, among those that count."""
    return float(right[rows][of[rows]].mean())
