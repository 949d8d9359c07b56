"""Rectangles of images pasted into one another."""

import math

import torch
from torch import Tensor

from tonegap_kit.mixing import Mixed


def patch(x: Tensor, share: float, rng: torch.Generator) -> Mixed:
    """Images with a rectangle from another one, of about 1 - `share` of the area.

    The rectangle's centre is anywhere in the image, and what lies outside is cut off: the share of the result
    is that of the pixels that stayed.

    Source: Yun et al. 2019 (CutMix), one rectangle for a batch as in their algorithm.
    """
    other = torch.randperm(len(x), generator=rng).to(x.device)
    height, width = x.shape[2:]
    rows = _interval(height, share, rng)
    columns = _interval(width, share, rng)
    mixed = x.clone()
    mixed[:, :, rows, columns] = x[other][:, :, rows, columns]
    cut = (rows.stop - rows.start) * (columns.stop - columns.start)
    return Mixed(mixed, other, 1 - cut / (height * width))


def _interval(side: int, share: float, rng: torch.Generator) -> slice:
    length = int(side * math.sqrt(1 - share))
    centre = int(torch.randint(side, (), generator=rng))
    return slice(max(centre - length // 2, 0), min(centre + length // 2, side))
