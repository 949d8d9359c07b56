"""A suite as cells and stages with content keys. Pure: everything it needs was read before.

A key is the digest of named ingredients, so that a cache miss can say which of them changed. The mistake it exists to
prevent: a result reused although something that made it is different now.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tonegap.engines.base import Environment
from tonegap.errors import BadRoom
from tonegap.files import digest_of
from tonegap.rooms.given import GivenFile, given_files
from tonegap.rooms.plugin import Plugin, fill_parameters
from tonegap.rooms.suite import EntryRows, Suite
from tonegap.run.job import CONTRACT_VERSION, ImageSpec, Parameter
from tonegap.run.matrix import CellId, Matrix
from tonegap.run.record import EntryId
from tonegap.run.view import TaskView

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
    """One entry with every parameter filled in."""

    id: EntryId
    method: PluginIdentity
    baseline: PluginIdentity
    method_parameters: dict[str, Parameter]
    baseline_parameters: dict[str, Parameter]
    files: dict[str, tuple[GivenFile, ...]]


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage to run: its key, the ingredients behind it, and what it needs from upstream."""

    key: str
    stage: str
    identity: PluginIdentity
    parameters: dict[str, Parameter]
    seed: int
    device: str
    threads: int
    image: ImageSpec
    view: TaskView
    files: tuple[GivenFile, ...]
    upstream: tuple[str, ...]
    ingredients: dict[str, str]


@dataclass(frozen=True, slots=True)
class CellPlan:
    """One cell: its id (with the record's key), entry, view, and stages in order of need."""

    id: CellId
    entry: Entry
    view: TaskView
    stages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """All of a suite: its declared matrix, cells, and stages by key."""

    matrix: Matrix
    cells: tuple[CellPlan, ...]
    stages: Mapping[str, Stage]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a run fixes for all of its stages."""

    device: str
    threads: int
    scoring_sha256: str


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
                    f"{name!r}; there are: {', '.join(sorted(known)) or 'none'}"
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
    for identity, given in ((method, row.method_parameters), (baseline, own)):
        plugin = identity.plugin
        values = _fill(suite, identity, given)
        image_spec(plugin, values, str(suite.path))
        files[plugin.label] = given_files(plugin, values, str(suite.path))
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


def plan_suite(
    suite: Suite,
    entries: tuple[Entry, ...],
    views: Mapping[tuple[str, int], TaskView],
    setting: Setting,
) -> Plan:
    """The plan of a suite; `views` maps every (task, seed) of it, in the suite's order."""
    stages: dict[str, Stage] = {}
    cells: list[CellPlan] = []
    memo: dict[tuple[str, str], str] = {}
    for (_task, seed), view in views.items():
        for entry in entries:
            chain = _chain(entry, view, seed, setting, memo)
            for stage in chain:
                stages.setdefault(stage.key, stage)
            cells.append(_cell(entry, view, seed, chain, setting))
    matrix = Matrix(suite.id, suite.file.title, tuple(cell.id for cell in cells))
    return Plan(matrix, tuple(cells), stages)


def _chain(
    entry: Entry, view: TaskView, seed: int, setting: Setting, memo: dict[tuple[str, str], str]
) -> list[Stage]:
    """The stages of one cell in order: the method's, then the baseline's."""
    chain: list[Stage] = []
    for identity, parameters in (
        (entry.method, entry.method_parameters),
        (entry.baseline, entry.baseline_parameters),
    ):
        for name in identity.plugin.file.stages:
            where = (view, seed, setting)
            files = entry.files[identity.plugin.label]
            chain.append(_stage(name, identity, (parameters, files), where, chain, memo))
    return chain


def _stage(
    name: str,
    identity: PluginIdentity,
    given: tuple[dict[str, Parameter], tuple[GivenFile, ...]],
    where: tuple[TaskView, int, Setting],
    before: list[Stage],
    memo: dict[tuple[str, str], str],
) -> Stage:
    (parameters, files), (view, seed, setting) = given, where
    plugin = identity.plugin
    # A baseline's train stage needs what the method generated, not the model it generated it with.
    upstream = before[-1:]
    image = image_spec(plugin, parameters, view.task)
    ingredients = {
        "contract": str(CONTRACT_VERSION),
        "plug-in": identity.folder_sha256,
        "environment": identity.environment.digest,
        "task": view.task,
        "seed": str(seed),
        "device": setting.device,
        "threads": str(setting.threads),
        "image": f"{image.size_px} px {image.geometry}",
        **{f"parameters.{key}": repr(value) for key, value in parameters.items()},
        **_seen(name, view, plugin),
    }
    if upstream:
        ingredients["upstream"] = upstream[0].key
        ingredients["upstream.plugin"] = upstream[0].identity.plugin.label
    text = (f"{plugin.label} {name}", "\n".join(f"{k}={v}" for k, v in ingredients.items()))
    key = memo.get(text)
    if key is None:
        key = memo[text] = digest_of([text[0], ingredients])
    return Stage(
        key=key,
        stage=name,
        identity=identity,
        parameters=parameters,
        seed=seed,
        device=setting.device,
        threads=setting.threads,
        image=image,
        view=view,
        files=files,
        upstream=tuple(stage.key for stage in upstream),
        ingredients=ingredients,
    )


def _seen(stage: str, view: TaskView, plugin: Plugin) -> dict[str, str]:
    """Digests of the rows a stage sees, by partition."""
    seen = {
        "classes": digest_of([view.classes, view.positive, view.axis_tones]),
        "training images": view.train.labelled_digest,
    }
    if stage == "train":
        at_test = "tone_at_test" in plugin.file.needs
        seen["validation images"] = view.validation.labelled_digest
        seen["test images"] = view.test.toned_digest if at_test else view.test.image_digest
    return seen


def _cell(
    entry: Entry, view: TaskView, seed: int, chain: list[Stage], setting: Setting
) -> CellPlan:
    """The cell and its record's key: the last stage's plus all that scoring depends on."""
    rules = [view.selection_metric, view.primary_metric, view.published_selection]
    files = (entry.method.plugin.file, entry.baseline.plugin.file)
    control = any(file.control for file in files)
    key = digest_of(
        {
            "train": chain[-1].key,
            "entry": entry.id.label,
            "control": control,
            "method parameters": entry.method_parameters,  # of a method without stages, too
            "truth": [view.validation.labelled_digest, view.test.labelled_digest],
            "rules": [*rules, view.min_support, view.tones],
            "scoring": setting.scoring_sha256,
            "leaks": [view.leaks.n_groups, view.leaks.test_images_by_tone],
            "stand_in": view.data.stand_in,
        }
    )
    cell = CellId(
        entry=entry.id,
        task=view.task,
        seed=seed,
        key=key,
        control=control,
        not_applicable=_not_applicable(entry, view, setting),
    )
    return CellPlan(cell, entry, view, tuple(stage.key for stage in chain))


def _not_applicable(entry: Entry, view: TaskView, setting: Setting) -> str | None:
    """Why an entry cannot be asked this question, or None."""
    for identity in (entry.method, entry.baseline):
        needs = identity.plugin.file.needs
        label = identity.plugin.label
        if "masks" in needs and not view.has_masks:
            return f"{label} needs lesion masks; the data set has none"
        if "gpu" in needs and setting.device != "cuda":
            return f"{label} needs a GPU; this run uses the CPU"
        if "tone_in_training" in needs and not any(view.train.tones):
            return f"{label} needs tones in training; no training image has one"
    return None
