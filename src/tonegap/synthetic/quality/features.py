"""Reads what a features stage left as checked arrays. The code behind it may be a stranger's.

The mistake it exists to prevent: row i of the features belonging to another image than row i of
the manifest.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonegap.errors import BadOutput

Array = NDArray[np.float64]
NAMES = ("train", "synthetic")
_SINGLE = np.dtype(np.float32)
_MAX_DIMENSIONS = 65_536
_LARGEST = 1e9  # beyond it sums of cubes lose what they are to tell


@dataclass(frozen=True, slots=True)
class Features:
    """Features [n, d] of the real training images and of the synthetic ones, rows as in their manifests."""

    train: Array
    synthetic: Array


def read_features(folder: Path, n_train: int, n_synthetic: int) -> Features:
    """The features that a stage left in a folder.

    Raises BadOutput for a file that is absent, is no float32 array of one row per image, holds a
    value that is not finite, or does not fit the other.
    """
    counts = dict(zip(NAMES, (n_train, n_synthetic), strict=True))
    train, synthetic = (_read(folder / f"{name}.npy", n) for name, n in counts.items())
    if train.shape[1] != synthetic.shape[1]:
        raise BadOutput(
            f"synthetic.npy: {synthetic.shape[1]} features for each image, but train.npy has "
            f"{train.shape[1]}; wanted the same of both"
        )
    return Features(train, synthetic)


def read_bank(folder: Path, n: int, precision: object) -> None:
    """Checks the feature bank that an embed stage left of n images: float16 where `precision` is fp16, else float32.

    Raises BadOutput.
    """
    _read(folder / "bank.npy", n, np.dtype(np.float16) if precision == "fp16" else _SINGLE)


def _read(path: Path, n: int, kind: np.dtype = _SINGLE) -> Array:
    try:
        # Mapped first: the header is checked before memory is reserved for the array it announces.
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise BadOutput(f"{path.name}: absent; a features stage leaves it") from None
    except (OSError, ValueError, EOFError) as e:
        reason = str(e).replace(str(path), "the file")
        raise BadOutput(f"{path.name}: not an array in numpy's format: {reason}") from None
    if not isinstance(array, np.ndarray) or array.dtype != kind or array.ndim != 2:
        found = f"{array.dtype} {list(array.shape)}" if isinstance(array, np.ndarray) else "several"
        also = "; a bank has the precision of its parameter" if path.name == "bank.npy" else ""
        raise BadOutput(
            f"{path.name}: wanted one {kind} array with two axes, images and features, found {found}{also}"
        )
    if array.shape[0] != n or not 1 <= array.shape[1] <= _MAX_DIMENSIONS:
        raise BadOutput(
            f"{path.name}: found the shape {list(array.shape)}, wanted {n} rows, one for each image, "
            f"of 1 to {_MAX_DIMENSIONS:,} features"
        )
    values = np.array(array, np.float64)
    if not (np.abs(values) <= _LARGEST).all():
        raise BadOutput(
            f"{path.name}: holds a value that is no finite number, or beyond ±{_LARGEST:.0e}"
        )
    return values
