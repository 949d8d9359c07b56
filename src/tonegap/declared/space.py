"""Reads `[search.NAME]` of a plug-in's file: the values that a hyper-parameter search may sample for a parameter.

The mistake it exists to prevent: a range that is searched although nobody declared it.
"""

from typing import TYPE_CHECKING

import msgspec

from tonegap.formats.job import Parameter

if TYPE_CHECKING:
    import numpy as np

_DIGITS = 3  # significant ones of a drawn fraction: what a paper would print
_FORMS = ("log_uniform", "uniform", "integers", "choices")


class Space(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Exactly one of: a range drawn on a log scale, a range, whole numbers (both ends included), values."""

    log_uniform: tuple[float, float] | None = None
    uniform: tuple[float, float] | None = None
    integers: tuple[int, int] | None = None
    choices: tuple[str | int | float | bool, ...] | None = None


def space_problems(space: Space, default: Parameter, allowed: tuple[object, ...]) -> list[str]:
    """What is wrong with a space for a parameter with that default and those choices (empty: any)."""
    given = [form for form in _FORMS if getattr(space, form) is not None]
    if len(given) != 1:
        return [f"found {', '.join(given) or 'nothing'}, wanted one of {', '.join(_FORMS)}"]
    form = given[0]
    if form == "choices":
        return _choice_problems(space.choices or (), default, allowed)
    wanted = int if form == "integers" else float
    if type(default) is not wanted or allowed:
        return [f"{form}: found for a parameter like {default!r}, wanted choices"]
    low, high = getattr(space, form)
    if not low < high or (form == "log_uniform" and low <= 0):
        return [f"{form}: found [{low}, {high}], wanted a smaller and a larger number"]
    return []


def _choice_problems(
    choices: tuple[object, ...], default: Parameter, allowed: tuple[object, ...]
) -> list[str]:
    wrong = [c for c in choices if type(c) is not type(default) or (allowed and c not in allowed)]
    if wrong or not choices:
        found = repr(wrong[0]) if wrong else "none"
        return [f"choices: found {found}, wanted values like {default!r}"]
    return []


def draw_from(space: Space, rng: "np.random.Generator") -> Parameter:
    """A value of the space; fractions have three significant digits."""
    import numpy as np  # half of the time that a job takes to start, and no job draws

    if space.choices is not None:
        return space.choices[int(rng.integers(len(space.choices)))]
    if space.integers is not None:
        return int(rng.integers(space.integers[0], space.integers[1] + 1))
    if space.log_uniform is not None:
        low, high = np.log(space.log_uniform)
        return _rounded(float(np.exp(rng.uniform(low, high))))
    low, high = space.uniform or (0.0, 0.0)
    return _rounded(float(rng.uniform(low, high)))


def _rounded(value: float) -> float:
    return float(f"{value:.{_DIGITS}g}")
