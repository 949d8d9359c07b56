"""Names for the array types that cross the borders of this package, and labels as numbers."""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def class_indices(labels: Iterable[str], classes: Iterable[str]) -> IntArray:
    """Class index of each label, [n]. Raises KeyError for a label that is none of the classes."""
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index[label] for label in labels], dtype=np.int64)
