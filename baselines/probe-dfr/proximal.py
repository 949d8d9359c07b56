"""Logistic regression with an L1 penalty by accelerated proximal gradient descent (FISTA, Beck and Teboulle 2009)."""

import math

import numpy as np

from tonegap_kit.feature_bank import Features, Matrix
from tonegap_kit.partition import Codes

_STILL = 1e-5  # a step that moves no weight by more is the last


def fit(x: Features, y: Codes, n_classes: int, l1: float, steps: int) -> Matrix:
    """Weights [d, k] above biases [1, k] that minimise mean cross-entropy + l1 * sum |weight|, on features [n, d].

    Biases are not penalised. No step is drawn, so that the same features give the same layer.
    """
    x = np.hstack([x, np.ones((len(x), 1))]).astype(np.float32)
    truth = np.eye(n_classes)[y]
    # Half of the largest eigenvalue of x'x / n bounds the curvature of the softmax's cross-entropy.
    largest = float(np.linalg.eigvalsh(x.T @ x)[-1])
    rate = 1 / max(largest / len(x) / 2 * 1.01, 1e-12)
    now = ahead = np.zeros((x.shape[1], n_classes))
    pace = 1.0
    for _ in range(steps):
        scores = (x @ ahead.astype(np.float32)).astype(np.float64)
        p = np.exp(scores - scores.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        after = ahead - rate * (x.T @ (p - truth).astype(np.float32)) / len(x)
        after[:-1] = np.sign(after[:-1]) * np.maximum(np.abs(after[:-1]) - rate * l1, 0.0)
        faster = (1 + math.sqrt(1 + 4 * pace * pace)) / 2
        ahead = after + (pace - 1) / faster * (after - now)
        moved = float(np.abs(after - now).max())
        now, pace = after, faster
        if moved < _STILL:
            break
    return now
