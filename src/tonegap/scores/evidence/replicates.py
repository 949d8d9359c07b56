"""Every metric in every draw, from the counts of each draw.

These are the formulas of `tonegap.scores` once more, over whole arrays of draws; a test holds the two
to each other on every metric. A ratio of 0/0 is NaN here: the draw says nothing of that metric.
"""

from dataclasses import dataclass

import numpy as np

from tonegap.arrays import FloatArray
from tonegap.scores.evidence.tally import Tally


@dataclass(frozen=True, eq=False)
class Replicates:
    """One metric in each draw: `tones` [draws, tones] (None: it compares the tones itself), `all` [draws]."""

    tones: FloatArray | None
    all: FloatArray


def replicates(t: Tally, has_event: bool, between: bool = True) -> dict[str, Replicates]:
    """Each metric of METRICS over all draws; sensitivity and specificity only with an event.

    Those that compare the tones are left out unless asked for with `between`.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        each = _per_tone(t, has_event)
        found = {name: Replicates(v[:, :-1], v[:, -1]) for name, v in each.items()}
        if between:
            found |= {name: Replicates(None, v) for name, v in _between(t).items()}
        return found


def _per_tone(t: Tally, has_event: bool) -> dict[str, FloatArray]:
    """Metrics that each slot has by itself, [draws, slots]."""
    found = {
        "accuracy": t.right.sum(axis=-1) / t.n,
        "balanced_accuracy": (t.right / t.true).mean(axis=-1),
        "macro_f1": (2 * t.right / (t.true + t.called)).mean(axis=-1),
        "auc": t.auc.mean(axis=-1),
        "ece": np.abs(t.offsets).sum(axis=-1),
    }
    if has_event:
        rates = t.events[..., 0, :, 1] / t.events[..., 0, :, :].sum(axis=-1)
        found |= {"sensitivity": rates[..., 1], "specificity": 1 - rates[..., 0]}
    return found


def _between(t: Tally) -> dict[str, FloatArray]:
    """Metrics that compare the tones, [draws]."""
    n, right, true, called = t.n[:, :-1], t.right[:, :-1], t.true[:, :-1], t.called[:, :-1]
    accuracy = right.sum(axis=-1) / n
    highest, lowest = accuracy.max(axis=-1), accuracy.min(axis=-1)
    events = t.events[:, :-1]  # [draws, tones, m, 2, 2]
    rates = events[..., 1] / events.sum(axis=-1)  # [draws, tones, m, negative | positive]
    positive_calls = events[..., 1].sum(axis=-1) / events.sum(axis=(-1, -2))
    spread = np.ptp(rates, axis=1)
    return {
        "pqd": lowest / highest,
        "dpm": _mean_ratio(called / n[..., None]),
        "eom": _mean_ratio(right / true),
        "nar": (highest - lowest) / accuracy.mean(axis=-1),
        "demographic_parity_difference": np.ptp(positive_calls, axis=1).mean(axis=-1),
        "equal_opportunity_difference": spread[..., 1].mean(axis=-1),
        "equalized_odds_difference": spread.max(axis=-1).mean(axis=-1),
    }


def _mean_ratio(rates: FloatArray) -> FloatArray:
    """Mean over classes of the lowest over the highest rate by tone, [draws]."""
    ratio: FloatArray = (rates.min(axis=1) / rates.max(axis=1)).mean(axis=-1)
    return ratio
