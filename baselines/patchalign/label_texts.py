"""Vectors for the names of classes: from a file, or made of the names' letters where there is none."""

from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from tonegap_kit.errors import StageError
from tonegap_kit.weights_file import read_weights

_LETTERS = 3  # letters in a row that are counted together


def read_text_vectors(path: Path) -> Tensor:
    """The vectors `float32 [m, d]` in a `.npy` file, or in a safetensors file with one matrix.

    Raises StageError if it holds anything else.
    """
    if path.suffix == ".npy":
        try:
            found = torch.from_numpy(np.load(path, allow_pickle=False))
        except (OSError, ValueError, EOFError, TypeError) as problem:
            raise StageError(f"{path}: cannot be read as an array: {problem}") from None
    else:
        tensors = list(read_weights(path).values())
        if len(tensors) != 1:
            raise StageError(
                f"{path}: holds {len(tensors)} tensors, wanted one matrix of text vectors"
            )
        found = tensors[0]
    if found.dim() != 2 or not found.is_floating_point() or not found.isfinite().all():
        raise StageError(
            f"{path}: holds {str(found.dtype).removeprefix('torch.')} {list(found.shape)}, wanted real "
            f"numbers [texts, width], all finite"
        )
    return found.float()


def letter_vectors(texts: Sequence[str], width: int) -> Tensor:
    """Bags of letters `float32 [m, width]`: each three letters in a row add their own direction.

    Names that are spelled alike come out alike; nothing is known of what they mean.
    """
    vectors = np.stack([_directions(text, width).sum(axis=0) for text in texts])
    return torch.from_numpy(vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).float()


def _directions(text: str, width: int) -> NDArray[np.float64]:
    """A random direction for each piece of a text, always the same for the same piece."""
    padded = f" {text.lower()} "
    pieces = [padded[i : i + _LETTERS] for i in range(max(1, len(padded) - _LETTERS + 1))]
    return np.stack(
        [np.random.default_rng(_number(piece)).standard_normal(width) for piece in pieces]
    )


def _number(piece: str) -> int:
    return int.from_bytes(sha256(piece.encode()).digest()[:8], "big")
