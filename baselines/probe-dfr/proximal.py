"""Logistic regression with an L1 penalty by accelerated proximal gradient descent (FISTA, Beck and Teboulle 2009)."""

import math

import numpy as np

from tonegap_kit.feature_bank import Matrix
from tonegap_kit.partition import Codes


def fit(x: Matrix, y: Codes, n_classes: int, l1: float, steps: int) -> Matrix:
    """Weights [d, k] above biases [1, k] that minimise mean cross-entropy + l1 * sum |weight|, on features [n, d].

    Biases are not penalised. No step is drawn, so that the same features give the same layer.
    """
    x = np.hstack([x, np.ones((len(x), 1))])
    truth = np.eye(n_classes)[y]
    # Half of the largest eigenvalue of x'x / n bounds the curvature of the softmax's cross-entropy.
    rate = 1 / max(np.linalg.norm(x, 2) ** 2 / len(x) / 2 * 1.01, 1e-12)
    now = ahead = np.zeros((x.shape[1], n_classes))
    pace = 1.0
    for _ in range(steps):
        scores = x @ ahead
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        after = ahead - rate * (x.T @ (p - truth)) / len(x)
        after[:-1] = np.sign(after[:-1]) * np.maximum(np.abs(after[:-1]) - rate * l1, 0.0)
        faster = (1 + math.sqrt(1 + 4 * pace * pace)) / 2
        ahead = after + (pace - 1) / faster * (after - now)
        now, pace = after, faster
    return now
