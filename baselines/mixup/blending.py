"""Whole images faded into one another."""

import torch
from torch import Tensor

from tonegap_kit.mixing import Mixed


def blend(x: Tensor, share: float, rng: torch.Generator) -> Mixed:
    """Whole images, each faded into another one.

    Source: Zhang et al. 2018 (mixup), one share for a batch as in their algorithm.
    """
    other = torch.randperm(len(x), generator=rng).to(x.device)
    return Mixed(share * x + (1 - share) * x[other], other, share)
