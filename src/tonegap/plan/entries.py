"""A suite's rows as entries: every method × baseline × backbone with every parameter filled in. Pure.

The mistake it exists to prevent: a parameter that is misspelt, or reaches no plug-in, and silently changes nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tonegap.declared.local_files import GivenFile, Giver, given_files
from tonegap.declared.plugin import Plugin, fill_parameters
from tonegap.declared.suite import EntryRows, Suite
from tonegap.engines.base import Environment
from tonegap.errors import BadRoom
from tonegap.formats.job import ImageSpec, Parameter
from tonegap.formats.record import EntryId
from tonegap.lines import did_you_mean

DEFAULT_SIZE_PX = 224
MAX_SIZE_PX = 4096
GEOMETRIES = ("crop", "stretch")


@dataclass(frozen=True, slots=True)
class PluginIdentity:
    """A plug-in with what its stages' keys depend on."""

    plugin: Plugin
    folder_sha256: str
    environment: Environment


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry with every parameter filled in; `tasks` are those it is asked, empty for all."""

    id: EntryId
    method: PluginIdentity
    baseline: PluginIdentity
    method_parameters: dict[str, Parameter]
    baseline_parameters: dict[str, Parameter]
    files: dict[str, tuple[GivenFile, ...]]
    tasks: tuple[str, ...] = ()


def entries_of(suite: Suite, plugins: Mapping[str, PluginIdentity]) -> tuple[Entry, ...]:
    """Every entry a suite declares, in its order; `plugins` maps `methods/NAME`, `baselines/NAME`.

    Raises BadRoom for two entries of one name (give one a `variant`) and for wrong parameters.
    """
    _check_common_parameters(suite, plugins)
    found: dict[EntryId, Entry] = {}
    for row in suite.file.entries:
        for entry in _entries_of_row(suite, row, plugins):
            if entry.id in found:
                raise BadRoom(
                    f"{suite.path}: entry {entry.id.label} is declared twice; "
                    "give one of them a `variant`"
                )
            found[entry.id] = entry
    return tuple(found.values())


def _check_common_parameters(suite: Suite, plugins: Mapping[str, PluginIdentity]) -> None:
    """Raises BadRoom for a parameter that no plug-in of the suite has: it would change nothing."""
    for label, values in suite.file.parameters.items():
        known = {
            name
            for key, identity in plugins.items()
            if key == label or key.split("/")[0] == label
            for name in identity.plugin.file.parameters
        }
        for name in values:
            if name not in known:
                raise BadRoom(
                    f"{suite.path}: parameters.{label}: no plug-in of this suite has a parameter "
                    f"{name!r}{did_you_mean(name, known)}; "
                    + (
                        f"there are: {', '.join(sorted(known))}"
                        if known
                        else "they have no parameters"
                    )
                )


def _entries_of_row(
    suite: Suite, row: EntryRows, plugins: Mapping[str, PluginIdentity]
) -> list[Entry]:
    entries = []
    for method_id in row.methods:
        method = plugins[f"methods/{method_id}"]
        for baseline_id in row.baselines:
            baseline = plugins[f"baselines/{baseline_id}"]
            has_backbone = "backbone" in baseline.plugin.file.parameters
            for backbone in (row.backbones or ("",)) if has_backbone else ("",):
                own: dict[str, Parameter] = {"backbone": backbone} if backbone else {}
                own = {**row.baseline_parameters, **own}
                entries.append(_entry(suite, row, method, baseline, own))
    return entries


def _entry(
    suite: Suite,
    row: EntryRows,
    method: PluginIdentity,
    baseline: PluginIdentity,
    own: dict[str, Parameter],
) -> Entry:
    filled, files = {}, {}
    giver = Giver(str(suite.path), suite.root)
    for identity, given in ((method, row.method_parameters), (baseline, own)):
        plugin = identity.plugin
        values = _fill(suite, identity, given)
        image_spec(plugin, values, str(suite.path))
        files[plugin.label] = given_files(plugin, values, giver)
        filled[plugin.label] = values | {f.parameter: f.public for f in files[plugin.label]}
    baseline_parameters = filled[baseline.plugin.label]
    return Entry(
        id=EntryId(
            method=method.plugin.id,
            baseline=baseline.plugin.id,
            backbone=str(baseline_parameters.get("backbone", "")),
            variant=row.variant,
        ),
        method=method,
        baseline=baseline,
        method_parameters=filled[method.plugin.label],
        baseline_parameters=baseline_parameters,
        files=files,
        tasks=row.tasks,
    )


def _fill(
    suite: Suite, identity: PluginIdentity, own: dict[str, Parameter]
) -> dict[str, Parameter]:
    """Defaults, then the suite's for all plug-ins of the kind, then for this one, then the row's."""
    plugin = identity.plugin
    common = suite.file.parameters.get(plugin.label.split("/")[0], {})
    given = {name: value for name, value in common.items() if name in plugin.file.parameters}
    given |= suite.file.parameters.get(plugin.label, {})
    given |= own
    return fill_parameters(plugin, given, str(suite.path))


def image_spec(plugin: Plugin, parameters: Mapping[str, Parameter], where: str) -> ImageSpec:
    """How a plug-in's images are prepared. Raises BadRoom for a size or geometry that is none."""
    size_px = parameters.get("image_size_px", DEFAULT_SIZE_PX)
    if not isinstance(size_px, int) or not 8 <= size_px <= MAX_SIZE_PX:
        raise BadRoom(
            f"{where}: {plugin.label} image_size_px: found {size_px!r}, wanted 8 to {MAX_SIZE_PX}"
        )
    geometry = parameters.get("geometry", GEOMETRIES[0])
    if geometry not in GEOMETRIES:
        wanted = " or ".join(GEOMETRIES)
        raise BadRoom(f"{where}: {plugin.label} geometry: found {geometry!r}, wanted {wanted}")
    return ImageSpec(size_px, str(geometry))
