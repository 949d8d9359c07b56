"""Training images mixed with one another, and the loss of a picture that shows two classes at once.

A batch is mixed with itself in another order, so that no image is read twice.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tonegap_kit.errors import StageError
from tonegap_kit.training import Batch


@dataclass(frozen=True, slots=True)
class Mixed:
    """A batch of mixed images: `share` of each is of its own row, the rest is of the row `other [b]`."""

    x: Tensor
    other: Tensor
    share: float


def draw_share(alpha: float, rng: torch.Generator) -> float:
    """A draw of Beta(alpha, alpha): how much of a mixed image is its own. Raises StageError for alpha <= 0."""
    if not alpha > 0:
        raise StageError(f"alpha is {alpha}, wanted more than 0")
    # Two gamma draws, since torch draws no beta from a generator of one's own.
    own, others = (_gamma(alpha, rng) for _ in range(2))
    return own / (own + others)


def _gamma(alpha: float, rng: torch.Generator) -> float:
    """A draw of Gamma(alpha, 1) by Marsaglia and Tsang 2000, in logarithms so that a small one is not 0."""
    boosted = alpha + 1
    d = boosted - 1 / 3
    while True:
        normal = torch.randn((), generator=rng, dtype=torch.float64).item()
        first, second = torch.rand(2, generator=rng, dtype=torch.float64).clamp(min=1e-300).tolist()
        v = (1 + normal / math.sqrt(9 * d)) ** 3
        if v > 0 and math.log(first) < normal**2 / 2 + d - d * v + d * math.log(v):
            return float(max(d * v * second ** (1 / alpha), 1e-300))


def mixed_cross_entropy(model: nn.Module, batch: Batch, mixed: Mixed) -> Tensor:
    """Mean of share * (loss for the own class) + (1 - share) * (loss for the other's), rows' weights in both."""
    scores = model(mixed.x)
    own = functional.cross_entropy(scores, batch.y, reduction="none") * batch.w
    others = functional.cross_entropy(scores, batch.y[mixed.other], reduction="none")
    return (mixed.share * own + (1 - mixed.share) * others * batch.w[mixed.other]).mean()
