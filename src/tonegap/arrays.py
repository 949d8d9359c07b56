"""Names for the array types that cross the borders of this package, and what is one number."""

from numbers import Real
from typing import TypeGuard

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
BoolArray = npt.NDArray[np.bool_]


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number of Python or numpy that is not NaN, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, (bool, np.bool_)) and value == value


def is_whole(value: object, least: int, most: int = 2**53) -> TypeGuard[int]:
    """Whether it is a whole number in these bounds, also one as 3.0; no truth value."""
    return is_number(value) and least <= value <= most and value == int(value)
