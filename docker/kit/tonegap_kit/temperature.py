"""Temperature scaling: one number that makes probabilities bolder or more careful and turns no two classes round.

Very cold, the probabilities of several images round to the same number: ties that can move an area under the curve.
"""

from collections.abc import Callable

import numpy as np

from tonegap_kit.postprocess import LEAST, Floats, Indices

COLDEST, HOTTEST = 0.01, 100.0
_STEPS = 100
_CLOSE = 1e-13


def best_temperature(p: Floats, y: Indices) -> float:
    """The temperature in [0.01, 100] with the smallest mean log loss of probabilities [n, k] for classes `y` [n].

    The loss is convex in the inverse temperature, so its slope has one zero; found by Newton's steps kept inside a
    bracket. At an end of the range where the slope has no zero in it. Source: Guo et al. 2017, section 4.2.
    """
    logs = np.log(np.maximum(p, LEAST))
    low, high = 1 / HOTTEST, 1 / COLDEST
    if _slopes(low, logs, y)[0] >= 0:
        return HOTTEST
    if _slopes(high, logs, y)[0] <= 0:
        return COLDEST
    inverse = 1.0
    for _ in range(_STEPS):
        slope, bend = _slopes(inverse, logs, y)
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        step = inverse - slope / bend if bend > 0 else low
        # Outside the bracket Newton's step says nothing: halve it, on a scale of ratios.
        following = step if low < step < high else float(np.sqrt(low * high))
        if abs(following - inverse) <= _CLOSE * inverse:
            break
        inverse = following
    return 1 / inverse


def tempered(p: Floats, temperature: float) -> Floats:
    """Probabilities [n, k] at a temperature: the softmax of their logarithms divided by it."""
    return _powered(np.log(np.maximum(p, LEAST)), 1 / temperature)


def fit_temperature(p: Floats, y: Indices) -> Callable[[Floats], Floats]:
    """The rule that scales by the best temperature of these images."""
    temperature = best_temperature(p, y)
    return lambda asked: tempered(asked, temperature)


def _powered(logs: Floats, inverse: float) -> Floats:
    scaled = inverse * logs
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    shares: Floats = weights / weights.sum(axis=1, keepdims=True)
    return shares


def _slopes(inverse: float, logs: Floats, y: Indices) -> tuple[float, float]:
    """First and second derivative of the mean log loss by the inverse temperature."""
    weights = _powered(logs, inverse)
    mean = (weights * logs).sum(axis=1)
    spread = (weights * (logs - mean[:, None]) ** 2).sum(axis=1)
    return float((mean - logs[np.arange(len(y)), y]).mean()), float(spread.mean())
