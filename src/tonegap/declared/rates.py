"""Reads `benchmarks/rates.toml`: how long a part of a stage is said to take where it never ran.

It lies outside the folders of plug-ins, since no result depends on it: a better rate makes no stage run anew. The
mistake it exists to prevent: a plan that says "about 0 s" of what nobody has measured.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, cast

import msgspec

from tonegap.declared.assets import asset_in, asset_named
from tonegap.declared.plugin import Plugin
from tonegap.declared.toml import read_toml
from tonegap.errors import BadSuiteFolder
from tonegap.formats.job import Parameter
from tonegap.lines import did_you_mean

RATES = Path("benchmarks") / "rates.toml"
COUNTS = ("images", "classes", "tones")  # what a task has of them; training images, for the first
_SHA256 = "sha256="  # how a rate in memory names the content of an asset
_COSTS = ("seconds", "disk_mib", "memory_mib")
_WANTED = {
    "stages": "one or more, as `methods/NAME STAGE`",
    "measured_on": "the device",
    "source": "who measured or counted it, and how",
}


class Rate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a part of a stage takes. Parts of a stage add up, but for memory: the most counts.

    If one of them is not known with a stage's parameters, neither is the whole.
    """

    stages: tuple[str, ...]  # whose part it is, each as `methods/NAME STAGE`
    measured_on: str  # the device that it was measured on or counted for
    source: str  # who measured or counted it, and how
    device: Literal["cpu", "cuda"] | None = None  # what such a stage runs on; none: either
    # counts that are multiplied to units: `images` (the training images that the stage sees), `classes`, `tones`, and
    # parameters that are numbers; none: one unit
    per: tuple[str, ...] = ()
    # parameters that are numbers, of which the smallest multiplies the units
    least_of: tuple[str, ...] = ()
    # whether the units are the most that a stage can have; false: what it has
    at_most: bool = False
    # values of parameters without which the stage has no such part
    only_with: dict[str, Parameter] = {}
    # values of parameters that the numbers are for; with others what the stage takes is not known. A list for a
    # parameter that is none: any of these. `asset:NAME`: a file or folder of that asset's content
    holds_with: dict[str, Parameter] = {}
    # the same of numbers: above the first and up to the second
    within: dict[str, tuple[float, float]] = {}
    seconds: float | None = None  # processor seconds, or seconds of a GPU, of one unit
    disk_mib: float | None = None  # MiB on disk that one unit leaves
    memory_mib: float | None = None  # MiB of main memory that the stage has at its peak


class RatesFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`benchmarks/rates.toml`: what stages take that never ran in a store, for `tonegap plan`."""

    rates: tuple[Rate, ...]  # every rate that is known


def read_rates(root: Path) -> dict[str, tuple[Rate, ...]]:
    """The rates of a suite root by the stage they are of, as `methods/NAME STAGE`; none where it declares none.

    An asset stands in them as its digest. Raises BadSuiteFolder for a wrong file, an asset that is not declared, and a
    rate without a source or without a number above 0. Whether a plug-in
    has what a rate names is left to `rate_problems`.
    """
    path = root / RATES
    found: dict[str, tuple[Rate, ...]] = {}
    for number, rate in enumerate(read_toml(path, RatesFile).rates if path.is_file() else ()):
        for problem in _problems(rate):
            raise BadSuiteFolder(f"{path}: rates[{number}].{problem}")
        named = {name: _digests(value, root) for name, value in rate.holds_with.items()}
        rate = msgspec.structs.replace(rate, holds_with=named)
        for stage in rate.stages:
            found[stage] = (*found.get(stage, ()), rate)
    return found


def _digests(value: Parameter, root: Path) -> Parameter:
    """A value with each `asset:NAME` in it as `sha256=HEX`. Raises BadSuiteFolder for one that is not declared."""
    if isinstance(value, list):
        return cast("Parameter", [_digests(one, root) for one in value])
    name = asset_in(value)
    return value if name is None else f"{_SHA256}{asset_named(root, name).sha256}"


def is_met(values: Mapping[str, Parameter], parameters: Mapping[str, Parameter]) -> bool:
    """Whether a stage's parameters have these values; of a list for one that is none, any of them."""
    return all(
        any(_is_one(parameters[name], one) for one in _each(value, parameters[name]))
        for name, value in values.items()
    )


def _is_one(found: Parameter, value: Parameter) -> bool:
    content = isinstance(value, str) and value.startswith(_SHA256)
    return found == value or (content and str(found).endswith(f"#{value}"))


def _each(value: Parameter, own: Parameter) -> Sequence[Parameter]:
    """The values of a list where the parameter's own is none; else the value."""
    return value if isinstance(value, list) and not isinstance(own, list) else [value]


def holds(rate: Rate, parameters: Mapping[str, Parameter]) -> bool:
    """Whether a rate's numbers are for these parameters of a stage."""
    ranges = ((float(str(parameters[n])), *ends) for n, ends in rate.within.items())
    return is_met(rate.holds_with, parameters) and all(a < x <= b for x, a, b in ranges)


def units_of(rate: Rate, counts: Mapping[str, int], own: Mapping[str, Parameter]) -> float | None:
    """How many units a stage has, of its counts (by COUNTS) and own parameters; both have all that a rate names.

    None where a parameter is below 0 or no number: nobody knows what a stage makes of that, if it does not refuse it.
    """
    every = {**own, **counts}
    factors = [float(str(every[name])) for name in rate.per]
    factors += [min(float(str(every[name])) for name in rate.least_of)] if rate.least_of else []
    return math.prod(factors) if all(0 <= one < math.inf for one in factors) else None


def _problems(rate: Rate) -> Iterator[str]:
    costs = {name: value for name in _COSTS if (value := getattr(rate, name)) is not None}
    if not costs:
        yield f"{_COSTS[0]}: missing, as {' and '.join(_COSTS[1:])} are; wanted one of them or more"
    for name, value in costs.items():
        if not 0 < value < math.inf:
            yield f"{name}: found {value}, wanted a number above 0; leave it out where it is not known"
    for name, (low, high) in rate.within.items():
        if not low < high:
            yield f"within: {name}: found {low} to {high}, wanted a smaller number first"
    for name in ("stages", "measured_on", "source"):
        if not getattr(rate, name):
            yield f"{name}: empty, wanted {_WANTED[name]}"


def rate_problems(stage: str, rate: Rate, plugin: Plugin) -> Iterator[str]:
    """A sentence for each thing that a rate of a stage (`methods/NAME STAGE`) names and its plug-in does not have."""
    if (name := stage.partition(" ")[2]) not in plugin.file.stages:
        there = ", ".join(plugin.file.stages) or "none"
        yield f"stages: {plugin.label} has no stage {name!r}; there are: {there}"
    specs = plugin.file.parameters
    numbers = [name for name, spec in specs.items() if type(spec.default) in {int, float}]
    countable = [*COUNTS, *numbers]
    for name in rate.per:
        if name not in countable:
            yield f"per: {name!r} is no count and no number of {plugin.label}{did_you_mean(name, countable)}"
    for place, names in (("least_of", rate.least_of), ("within", rate.within)):
        for name in (name for name in names if name not in numbers):
            yield f"{place}: {name!r} is no number of {plugin.label}{did_you_mean(name, numbers)}"
    for place, values in (("only_with", rate.only_with), ("holds_with", rate.holds_with)):
        for name, value in values.items():
            if name not in specs:
                yield f"{place}: {plugin.label} has no parameter {name!r}{did_you_mean(name, specs)}"
                continue
            own = specs[name].default
            for one in (v for v in _each(value, own) if v != own and type(v) is not type(own)):
                yield f"{place}: {name}: found {one!r}, wanted a value like {own!r}"
