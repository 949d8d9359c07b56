"""Logistic regression with an L1 penalty, on balanced draws: the last layer of a network fitted anew.

Source: Kirichenko et al. 2023 (arXiv 2204.02937), section 5.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

Codes = NDArray[np.int64]


def balanced_rows(y: Codes, t: Codes, rng: np.random.Generator) -> Codes:
    """As many rows of every (group, class) cell as the smallest one has, drawn without replacement; unknown: none."""
    known = (t >= 0) & (y >= 0)
    cell = np.where(known, t * (y.max() + 1) + y, -1)
    cells = np.unique(cell[known])
    fewest = min(int((cell == one).sum()) for one in cells)
    drawn = [rng.permutation((cell == one).nonzero()[0])[:fewest] for one in cells]
    return np.sort(np.concatenate(drawn))


def fit(z: Tensor, y: Tensor, n_classes: int, l1: float, steps: int) -> tuple[Tensor, Tensor]:
    """Weights [k, d] and biases [k] that minimise mean cross-entropy + l1 * sum |weight|, on features [n, d], double.

    By accelerated proximal gradient descent (FISTA, Beck and Teboulle 2009) from 0; biases are not penalised. No
    step is drawn, so that the same features give the same layer.
    """
    x = torch.cat([z, torch.ones(len(z), 1, dtype=z.dtype)], dim=1)
    truth = functional.one_hot(y, n_classes).to(z.dtype)
    # Half of the largest eigenvalue of x'x / n bounds the curvature of the softmax's cross-entropy.
    rate = 1 / max(_largest(x.T @ x / len(x)) / 2 * 1.01, 1e-12)
    now = ahead = torch.zeros(x.shape[1], n_classes, dtype=z.dtype)
    pace = 1.0
    for _ in range(steps):
        gradient = x.T @ ((x @ ahead).softmax(dim=1) - truth) / len(x)
        after = ahead - rate * gradient
        after[:-1] = after[:-1].sign() * (after[:-1].abs() - rate * l1).clamp(min=0)
        faster = (1 + math.sqrt(1 + 4 * pace * pace)) / 2
        ahead = after + (pace - 1) / faster * (after - now)
        now, pace = after, faster
    return now[:-1].T, now[-1]


def _largest(matrix: Tensor) -> float:
    """The largest eigenvalue of a matrix that has no negative one."""
    return float(np.linalg.eigvalsh(matrix.numpy())[-1])


def scaled_layer(weight: Tensor, bias: Tensor, mean: Tensor, spread: Tensor) -> nn.Linear:
    """A linear layer on features as they are, of one on features less `mean`, divided by `spread`."""
    layer = nn.Linear(weight.shape[1], weight.shape[0])
    own = weight / spread
    with torch.no_grad():
        layer.weight.copy_(own)
        layer.bias.copy_(bias - own @ mean)
    return layer
