"""The features of a stage's images with what is known of them: a manifest and the rows of the bank. Without torch.

The mistake it exists to prevent: features of one image beside the label of another.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Codes, has_partition, read_manifest

Matrix = NDArray[np.float64]
Features = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BankPart:
    """Images with ids, class and tone index of each (or UNKNOWN), and features `x` float32 [n, d]."""

    ids: tuple[str, ...]
    y: Codes
    t: Codes
    x: Features

    def __len__(self) -> int:
        return len(self.ids)


def read_bank_part(stage: Stage, name: str) -> BankPart:
    """The partition `name` (`train`, `validation`, `test`, `synthetic`) with its features.

    Raises StageError if a file is missing or damaged, or they do not fit each other.
    """
    told = read_manifest(stage, name)
    ids, y, t, rows = told.ids, told.y, told.t, told.placed
    path = stage.inputs / ("synthetic.npy" if name == "synthetic" else "bank.npy")
    bank = _read(path)
    if rows is None:
        if len(bank) != len(ids):
            raise StageError(
                f"{path}: holds {len(bank)} rows, wanted {len(ids)}, one for each row of {name}.csv"
            )
        return BankPart(ids, y, t, np.asarray(bank, np.float32))
    if rows.max() >= len(bank):
        raise StageError(f"{path}: holds {len(bank)} rows, but {name}.csv names row {rows.max()}")
    return BankPart(ids, y, t, np.asarray(bank[rows], np.float32))


def read_training_part(stage: Stage) -> BankPart:
    """The training images, then the synthetic ones where the entry's method made any."""
    real = read_bank_part(stage, "train")
    if not has_partition(stage, "synthetic"):
        return real
    made = read_bank_part(stage, "synthetic")
    if made.x.shape[1] != real.x.shape[1]:
        raise StageError(
            f"synthetic.npy: {made.x.shape[1]} features for each image, but bank.npy has {real.x.shape[1]}"
        )
    return BankPart(
        real.ids + made.ids,
        np.concatenate([real.y, made.y]),
        np.concatenate([real.t, made.t]),
        np.concatenate([real.x, made.x]),
    )


def scaled(x: Features, *others: Features) -> tuple[Features, ...]:
    """All of them less the mean of the first, divided by its deviation; a feature that is the same everywhere is 0.

    Of each feature, over images; means and deviations are added up in double precision.
    """
    mean = x.mean(axis=0, dtype=np.float64)
    spread = x.std(axis=0, dtype=np.float64)
    centre, rate = (
        mean.astype(np.float32),
        np.where(spread > 0, 1 / np.where(spread > 0, spread, 1), 0),
    )
    return tuple((of - centre) * rate.astype(np.float32) for of in (x, *others))


def _read(path: Path) -> NDArray[np.floating]:
    try:
        bank: NDArray[np.floating] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise StageError(f"{path}: cannot be read as an array: {problem}") from None
    if bank.ndim != 2 or bank.dtype not in (np.float32, np.float16):
        raise StageError(
            f"{path}: holds {bank.dtype} {list(bank.shape)}, wanted features [n, d] of single or half precision"
        )
    return bank
