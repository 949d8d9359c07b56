"""One metric at one seed, and how much draws of it vary."""

from dataclasses import dataclass

import numpy as np

from tonegap.arrays import FloatArray
from tonegap.scores.evidence.replicates import Replicates


@dataclass(frozen=True, eq=False)
class SampledMetric:
    """One metric at one seed: `point` as measured, one draw with every image once; `draws`."""

    point: Replicates
    draws: Replicates


def variance_over(draws: FloatArray, axis: int) -> FloatArray:
    """The variance of draws along an axis, of those that are defined."""
    defined = np.isfinite(draws)
    variance: FloatArray
    if defined.all():
        variance = draws.var(axis=axis)
        return variance
    n = np.maximum(defined.sum(axis=axis, keepdims=True), 1)
    mean = np.where(defined, draws, 0).sum(axis=axis, keepdims=True) / n
    squares = np.where(defined, (draws - mean) ** 2, 0).sum(axis=axis, keepdims=True)
    variance = (squares / n).squeeze(axis)
    return variance
