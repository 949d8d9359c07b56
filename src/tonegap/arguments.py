"""Arguments of Python: which of them are numbers, and how a message shows what was found. No numpy: commands load it.

The mistake it exists to prevent: an object's address, or a thousand values, in a sentence for people.
"""

import reprlib
from numbers import Number, Real
from typing import TypeGuard

from tonegap.lines import one_line


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a number of Python or numpy that is not NaN, and no truth value."""
    return isinstance(value, Real) and not isinstance(value, bool) and value == value


def is_whole(value: object, least: int, most: int = 2**53) -> TypeGuard[int]:
    """Whether it is a whole number in these bounds, also one as 3.0; no truth value."""
    return is_number(value) and least <= value <= most and value == int(value)


def as_found(value: object) -> str:
    """An argument of Python on one line for a message, cut to a few words; of what is no plain value its type."""
    plain = value is None or isinstance(value, (str, bytes, Number, list, tuple, dict))
    return one_line(reprlib.repr(value)) if plain else f"an object of type {type(value).__name__}"
