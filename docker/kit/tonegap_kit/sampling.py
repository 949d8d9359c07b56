"""Which training rows are drawn how often, and how much each weighs in the loss.

The mistake it exists to prevent: weights computed on test images, as some of the papers' code did.
All functions here see the labels `y [n]` and tones `t [n]` of training rows, and nothing else.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tonegap_kit.errors import StageError
from tonegap_kit.partition import UNKNOWN

Weights = NDArray[np.float64]
Codes = NDArray[np.int64]


def class_balanced(y: Codes) -> Weights:
    """1 / (images of the row's class), so that every class is drawn equally often."""
    return np.asarray(1 / np.bincount(y)[y])


def cell_balanced(y: Codes, t: Codes) -> Weights:
    """1 / (images of the row's tone and class): every (tone, class) cell is drawn equally often.

    A row of unknown tone weighs 0, since it belongs to no cell. Raises StageError if all are unknown.

    Source: "RESM" of Du et al. 2022 (FairDisCo, arXiv 2208.10013).
    """
    known = _known(t)
    n_cell = _counted(_cells(y, t), known)
    return np.where(known, 1 / n_cell.clip(1), 0.0)


def reweighing(y: Codes, t: Codes) -> Weights:
    """N_tone * N_class / (N_cell * N) of the row: above 1 where a tone has fewer of a class than chance.

    Counted over the rows of known tone; a row of unknown tone weighs 1, which changes nothing.
    Raises StageError if all are unknown.

    Source: "REWT" of Du et al. 2022, after Kamiran and Calders 2012.
    """
    known = _known(t)
    n_tone, n_class = _counted(t.clip(0), known), _counted(y, known)
    n_cell = _counted(_cells(y, t), known)
    return np.where(known, n_tone * n_class / (n_cell.clip(1) * known.sum()), 1.0)


def _known(t: Codes) -> NDArray[np.bool_]:
    known = t != UNKNOWN
    if not known.any():
        raise StageError("train.csv: no training image has a tone, but this baseline needs them")
    return np.asarray(known)


def _counted(codes: Codes, known: NDArray[np.bool_]) -> Codes:
    """How many rows of known tone have the code that each row has."""
    return np.asarray(np.bincount(codes[known], minlength=codes.max() + 1)[codes])


def _cells(y: Codes, t: Codes) -> Codes:
    """A number for each (tone, class) cell; that of an unknown tone means nothing."""
    return np.asarray((t.clip(0)) * (y.max() + 1) + y)


def epoch_order(
    n: int, weights: Weights | None, rng: torch.Generator, length: int | None = None
) -> Tensor:
    """Rows of one epoch, of n that there are: each once in random order, or draws with replacement by weight.

    `length` is how many, n if None. Without weights, fewer are a part of them, and of more each comes
    equally often up to one.
    """
    length = n if length is None else length
    if weights is None:
        rounds = [torch.randperm(n, generator=rng) for _ in range(0, length, n)]
        return torch.cat(rounds)[:length]
    return torch.multinomial(torch.from_numpy(weights), length, replacement=True, generator=rng)
