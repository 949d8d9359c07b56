"""Spells out the entries of a suite: every method × baseline × backbone × post-processor with its parameters. Pure.

The mistake it exists to prevent: a parameter that is misspelt, or reaches no plug-in, and silently changes nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from tonegap.declared.local_files import LocalFile, local_files
from tonegap.declared.plugin import Plugin, fill_parameters
from tonegap.declared.suite import NOTHING, EntryRows, Suite, check_common_parameters
from tonegap.engines.base import Environment
from tonegap.errors import BadSuiteFolder
from tonegap.formats.job import FRAME, ImageSpec, Parameter
from tonegap.formats.record import EntryId

DEFAULT_SIZE_PX = 224
MAX_SIZE_PX = 4096
GEOMETRIES = ("crop", "stretch", FRAME)


@dataclass(frozen=True, slots=True)
class PluginIdentity:
    """A plug-in with what its stages' keys depend on."""

    plugin: Plugin
    folder_sha256: str
    environment: Environment


@dataclass(frozen=True, slots=True)
class FilledPlugin:
    """A plug-in with every parameter filled in, the local files that they name, and how its images are prepared."""

    identity: PluginIdentity
    parameters: dict[str, Parameter]
    files: tuple[LocalFile, ...]
    image: ImageSpec

    @property
    def plugin(self) -> Plugin:
        """The plug-in itself."""
        return self.identity.plugin


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry with every parameter filled in; `tasks` are those it is asked, empty for all.

    `extractor`: whose features the baseline trains on; None where it trains on images.
    """

    id: EntryId
    method: FilledPlugin
    baseline: FilledPlugin
    tasks: tuple[str, ...] = ()
    postprocessor: FilledPlugin | None = None
    extractor: FilledPlugin | None = None

    @property
    def parts(self) -> tuple[FilledPlugin, ...]:
        """Its plug-ins: method, baseline, and where there are such post-processor and extractor."""
        every = (self.method, self.baseline, self.postprocessor, self.extractor)
        return tuple(part for part in every if part is not None)


def entries_of(suite: Suite, plugins: Mapping[str, PluginIdentity]) -> tuple[Entry, ...]:
    """Every entry a suite declares, in its order; `plugins` maps `methods/NAME`, `baselines/NAME`, ….

    Raises BadSuiteFolder for two entries of one name (give one a `variant`) and for wrong parameters.
    """
    check_common_parameters(suite, [identity.plugin for identity in plugins.values()])
    found: dict[EntryId, Entry] = {}
    for row in suite.file.entries:
        for entry in _entries_of_row(suite, row, plugins):
            if entry.id in found:
                raise BadSuiteFolder(
                    f"{suite.path}: entry {entry.id.label} is declared twice; "
                    "give one of them a `variant`"
                )
            found[entry.id] = entry
    return tuple(found.values())


def _entries_of_row(
    suite: Suite, row: EntryRows, plugins: Mapping[str, PluginIdentity]
) -> Iterator[Entry]:
    for method_id in row.methods:
        for baseline_id in row.baselines:
            baseline = plugins[f"baselines/{baseline_id}"]
            has_backbone = "backbone" in baseline.plugin.file.parameters
            for backbone in (row.backbones or ("",)) if has_backbone else ("",):
                own = row.baseline_parameters | ({"backbone": backbone} if backbone else {})
                made = in_suite(suite, plugins[f"methods/{method_id}"], row.method_parameters)
                trained = in_suite(suite, baseline, own)
                named = str(trained.parameters.get("backbone", ""))
                entry_id = EntryId(method_id, baseline_id, named, row.variant)
                extractor = _extractor(suite, plugins, trained)
                for other in row.postprocessors or (NOTHING,):
                    if other == NOTHING:
                        yield Entry(entry_id, made, trained, row.tasks, None, extractor)
                        continue
                    identity = plugins[f"postprocessors/{other}"]
                    behind = in_suite(suite, identity, row.postprocessor_parameters)
                    named_so = msgspec.structs.replace(entry_id, postprocessor=other)
                    yield Entry(named_so, made, trained, row.tasks, behind, extractor)


def _extractor(
    suite: Suite, plugins: Mapping[str, PluginIdentity], trained: FilledPlugin
) -> FilledPlugin | None:
    """Whose features a baseline trains on, None for one on images; its `precision` is the baseline's."""
    if trained.plugin.file.on == "images":
        return None
    label = f"extractors/{trained.parameters['backbone']}"
    if label not in plugins:
        raise BadSuiteFolder(
            f"{suite.path}: {trained.plugin.label} trains on features of {label}, which no row names in `backbones`"
        )
    if "embed" not in plugins[label].plugin.file.stages:
        raise BadSuiteFolder(
            f"{suite.path}: {label} has no stage embed, so nothing trains on its features"
        )
    own = {name: v for name, v in trained.parameters.items() if name == "precision"}
    return in_suite(suite, plugins[label], own)


def in_suite(suite: Suite, identity: PluginIdentity, own: Mapping[str, Parameter]) -> FilledPlugin:
    """Defaults, then the suite's for all plug-ins of the kind, then for this one, then the row's."""
    label, declared = identity.plugin.label, suite.file.parameters
    common = declared.get(label.split("/")[0], {})
    given = {name: v for name, v in common.items() if name in identity.plugin.file.parameters}
    return filled(suite, identity, {**given, **declared.get(label, {}), **own})


def filled(suite: Suite, identity: PluginIdentity, given: Mapping[str, Parameter]) -> FilledPlugin:
    """A plug-in of a suite with these parameters, the defaults for the rest. Raises BadSuiteFolder for wrong ones."""
    plugin, where = identity.plugin, str(suite.path)
    values = fill_parameters(plugin, dict(given), where)
    image = image_spec(plugin, values, where)
    files = local_files(plugin, values, where, suite.root)
    return FilledPlugin(identity, values | {f.parameter: f.public for f in files}, files, image)


def image_spec(plugin: Plugin, parameters: Mapping[str, Parameter], where: str) -> ImageSpec:
    """How a plug-in's images are prepared. Raises BadSuiteFolder for a size or geometry that is none."""
    size_px = parameters.get("image_size_px", DEFAULT_SIZE_PX)
    if not isinstance(size_px, int) or not 8 <= size_px <= MAX_SIZE_PX:
        raise BadSuiteFolder(
            f"{where}: {plugin.label} image_size_px: found {size_px!r}, wanted 8 to {MAX_SIZE_PX}"
        )
    geometry = parameters.get("geometry", GEOMETRIES[0])
    if geometry not in GEOMETRIES:
        wanted = ", ".join(GEOMETRIES)
        raise BadSuiteFolder(
            f"{where}: {plugin.label} geometry: found {geometry!r}, wanted {wanted}"
        )
    return ImageSpec(size_px, str(geometry))
