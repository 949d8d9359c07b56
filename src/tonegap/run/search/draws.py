"""Makes the suite of all draws, and the suite of what was chosen.

The mistake it exists to prevent: one baseline tuned with more draws than another, or on other draws each time.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace

import msgspec
import numpy as np

from tonegap.declared.plugin import Plugin
from tonegap.declared.space import draw_from
from tonegap.declared.suite import EntryRows, Suite
from tonegap.errors import BadRequest
from tonegap.formats.job import Parameter

Values = dict[str, Parameter]
Plugins = Mapping[str, Plugin]  # by label: `methods/NAME`, `baselines/NAME`


@dataclass(frozen=True, slots=True)
class Search:
    """The values of every draw by baseline, draw 0 without any: the suite's own parameters."""

    draws: Mapping[str, tuple[Values, ...]]


def searched(suite: Suite, plugins: Plugins, n_draws: int, seed: int) -> Search:
    """The draws of every baseline of a suite that is no control, from its declared spaces.

    A draw follows from seed, baseline and its number alone, so more draws keep the first ones. What the
    baseline's first row in the suite fixes is not drawn. A baseline without a space has draw 0 alone.
    Raises BadRequest where nothing can be drawn.
    """
    found: dict[str, tuple[Values, ...]] = {}
    for row in suite.file.entries:
        for name in row.baselines:
            plugin = plugins[f"baselines/{name}"]
            if name not in found and not plugin.file.control:
                found[name] = _draws(plugin, row, n_draws, seed)
    if not any(len(draws) > 1 for draws in found.values()):
        raise BadRequest(
            f"{suite.path}: no baseline here declares [search.NAME] for what is not fixed"
        )
    return Search(found)


def _draws(plugin: Plugin, row: EntryRows, n_draws: int, seed: int) -> tuple[Values, ...]:
    fixed = {*row.baseline_parameters, *(["backbone"] if row.backbones else [])}
    spaces = {
        name: space for name, space in sorted(plugin.file.search.items()) if name not in fixed
    }
    if not spaces:
        return ({},)
    found: list[Values] = [{}]
    for number in range(1, n_draws):
        digest = hashlib.sha256(f"{seed}:{plugin.id}:{number}".encode()).digest()
        rng = np.random.default_rng(int.from_bytes(digest[:8], "big"))
        found.append({name: draw_from(space, rng) for name, space in spaces.items()})
    return tuple(found)


def draw_name(number: int) -> str:
    """The variant of a draw."""
    return f"draw-{number}"


def draws_suite(suite: Suite, search: Search, plugins: Plugins) -> Suite:
    """The suite of all draws: each searched baseline as in its first row, with that row's first method.

    Without post-processors: they are fitted on the validation images that choose.
    """
    rows: list[EntryRows] = []
    for name, draws in search.draws.items():
        row = next(row for row in suite.file.entries if name in row.baselines)
        for number, values in enumerate(draws):
            rows.append(
                msgspec.structs.replace(
                    row,
                    methods=row.methods[:1],
                    baselines=(name,),
                    backbones=row.backbones[:1],
                    variant=draw_name(number),
                    baseline_parameters={**row.baseline_parameters, **values},
                    postprocessors=(),
                    postprocessor_parameters={},
                )
            )
    parameters = _parameters_for(rows, suite, plugins)
    file = msgspec.structs.replace(
        suite.file, entries=tuple(rows), parameters=parameters, quality=None
    )
    return replace(suite, id=f"{suite.id}-search", file=file)


def _parameters_for(rows: list[EntryRows], suite: Suite, plugins: Plugins) -> dict[str, Values]:
    """The suite's parameters without those of plug-ins that no draw uses; a misspelt one stays, to be refused."""
    used = {f"methods/{name}" for row in rows for name in row.methods}
    used |= {f"baselines/{name}" for row in rows for name in row.baselines}

    def known(label: str, keys: set[str]) -> set[str]:
        found = [key for key in keys if label in {key, key.split("/")[0]}]
        return {name for key in found for name in plugins[key].file.parameters}

    return {
        label: {
            name: value
            for name, value in values.items()
            if name in known(label, used) or name not in known(label, set(plugins))
        }
        for label, values in suite.file.parameters.items()
    }


def tuned_suite(suite: Suite, chosen: Mapping[str, Values]) -> Suite:
    """The suite with the chosen values in every row of their baseline; what a row fixes itself stays."""
    rows = tuple(
        msgspec.structs.replace(
            row,
            baselines=(name,),
            baseline_parameters={**chosen.get(name, {}), **row.baseline_parameters},
        )
        for row in suite.file.entries
        for name in row.baselines
    )
    return replace(suite, file=msgspec.structs.replace(suite.file, entries=rows))
