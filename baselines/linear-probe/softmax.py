"""Logistic regression over several classes with an L2 penalty, by L-BFGS (Nocedal 1980). Without scikit-learn.

Importing scikit-learn takes longer than fitting a thousand images; the tests hold both against each other.
"""

from dataclasses import dataclass

import numpy as np

from tonegap_kit.feature_bank import Features, Matrix
from tonegap_kit.partition import Codes

_MEMORY = 10
_HALVINGS = 30


@dataclass(frozen=True, slots=True)
class Problem:
    """Features `x` float32 [n, d], truth [n, k] of 0 and 1, weight of each image (their sum is 1), and the penalty."""

    x: Features
    truth: Matrix
    weight: Matrix
    penalty: float

    def at(self, layer: Matrix) -> tuple[float, Matrix]:
        """The loss of a layer [d + 1, k], biases last, and its gradient: weighted mean cross-entropy + penalty."""
        scores = self.scores(layer)
        scores -= scores.max(axis=1, keepdims=True)
        logs = scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))
        off = (np.exp(logs) - self.truth) * self.weight[:, None]
        own = layer[:-1]
        loss = -float((self.weight[:, None] * self.truth * logs).sum())
        slope = self.x.T @ off.astype(np.float32) + self.penalty * own
        return loss + self.penalty / 2 * float((own**2).sum()), np.vstack([slope, off.sum(axis=0)])

    def scores(self, layer: Matrix) -> Matrix:
        """Scores [n, k] of a layer, in double precision."""
        found: Matrix = (self.x @ layer[:-1].astype(np.float32)).astype(np.float64) + layer[-1]
        return found


def problem(x: Features, y: Codes, n_classes: int, penalty: float, *, balanced: bool) -> Problem:
    """The problem of features and classes; `balanced`: each class that there is weighs the same."""
    count = np.bincount(y, minlength=n_classes)
    weight = 1 / (count[y] * (count > 0).sum()) if balanced else np.full(len(y), 1 / len(y))
    return Problem(np.asarray(x, np.float32), np.eye(n_classes)[y], weight, penalty)


def fit(asked: Problem, start: Matrix, steps: int, tolerance: float) -> tuple[Matrix, int]:
    """The layer [d + 1, k] from a first one on, and how many steps were taken.

    It ends where the largest part of the gradient is below the tolerance, or where no step lowers the loss.
    """
    layer = start
    loss, slope = asked.at(layer)
    pairs: list[tuple[Matrix, Matrix]] = []
    for number in range(steps):
        if np.abs(slope).max() < tolerance:
            return layer, number
        way = _direction(slope, pairs)
        fall = float((way * slope).sum())
        pace = 1.0 if pairs else 1 / max(float(np.abs(slope).sum()), 1.0)
        for _ in range(_HALVINGS):
            after, (lower, steeper) = layer + pace * way, asked.at(layer + pace * way)
            if lower <= loss + 1e-4 * pace * fall:
                break
            pace /= 2
        else:
            return layer, number
        step, turn = after - layer, steeper - slope
        if (step * turn).sum() > 1e-12:
            pairs = [*pairs[1 - _MEMORY :], (step, turn)]
        layer, loss, slope = after, lower, steeper
    return layer, steps


def _direction(slope: Matrix, pairs: list[tuple[Matrix, Matrix]]) -> Matrix:
    """Where to go: minus the gradient times an inverse curvature, known from the last steps."""
    way, kept = -slope, []
    for step, turn in reversed(pairs):
        share = float((step * way).sum() / (step * turn).sum())
        way = way - share * turn
        kept.append(share)
    if pairs:
        step, turn = pairs[-1]
        way = way * float((step * turn).sum() / (turn * turn).sum())
    for (step, turn), share in zip(pairs, reversed(kept), strict=True):
        way = way + (share - float((turn * way).sum() / (step * turn).sum())) * step
    return way
