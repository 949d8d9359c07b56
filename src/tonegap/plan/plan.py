"""A suite as cells and stages with content keys. Pure: everything it needs was read before.

A key is the digest of named ingredients, so that a cache miss can say which of them changed. The mistake it exists to
prevent: a result reused although something that made it is different now.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from tonegap.declared.local_files import GivenFile
from tonegap.declared.suite import Suite
from tonegap.files import digest_of
from tonegap.formats.job import CONTRACT_VERSION, ImageSpec, Parameter
from tonegap.formats.matrix import CellId, Matrix
from tonegap.numerics import Numerics
from tonegap.plan.entries import Entry, PluginIdentity, image_spec
from tonegap.split.view import TaskView


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One stage to run: its key, the ingredients behind it, and what it needs from upstream."""

    key: str
    stage: str
    identity: PluginIdentity
    parameters: dict[str, Parameter]
    seed: int
    device: str
    threads: int
    numerics: Numerics
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
class SheetPlan:
    """The quality sheet of one synthetic set: its key, the stage that makes the set, and its features.

    `features` is None where the suite names no extractor.
    """

    key: str
    generate: PlannedStage
    features: PlannedStage | None


@dataclass(frozen=True, slots=True)
class Plan:
    """All of a suite: its declared matrix, cells, stages by key, and sheets of its synthetic sets."""

    matrix: Matrix
    cells: tuple[CellPlan, ...]
    stages: Mapping[str, PlannedStage]
    sheets: tuple[SheetPlan, ...] = ()


@dataclass(frozen=True, slots=True)
class RunSetting:
    """What a run fixes for all of its stages; `repeat` counts anew from 1 where the same work is done again."""

    device: str
    threads: int
    scoring_sha256: str
    decoding_sha256: str
    quality_sha256: str = ""
    masks_sha256: str = ""
    numerics: Numerics = "native"
    repeat: int = 0


@dataclass(frozen=True, slots=True)
class Extractor:
    """What turns images into features for quality sheets, with every parameter filled in."""

    identity: PluginIdentity
    parameters: dict[str, Parameter]
    files: tuple[GivenFile, ...]


@dataclass(frozen=True, slots=True)
class _Where:
    """What all stages of a cell have in common."""

    view: TaskView
    seed: int
    setting: RunSetting


@dataclass(frozen=True, slots=True)
class _Asked:
    """What one stage of a cell has of its own."""

    stage: str
    identity: PluginIdentity
    parameters: dict[str, Parameter]
    files: tuple[GivenFile, ...]
    upstream: tuple[PlannedStage, ...]


def plan_suite(
    suite: Suite,
    entries: tuple[Entry, ...],
    views: Mapping[tuple[str, int], TaskView],
    setting: RunSetting,
    extractor: Extractor | None = None,
) -> Plan:
    """The plan of a suite; `views` maps every (task, seed) of it, in the suite's order."""
    known: dict[str, PlannedStage] = {}
    cells: list[CellPlan] = []
    sheets: dict[str, SheetPlan] = {}
    for (task, seed), view in views.items():
        where = _Where(view, seed, setting)
        for entry in (e for e in entries if not e.tasks or task in e.tasks):
            chain = _chain(entry, where, known)
            cells.append(_cell(entry, where, chain))
            for stage in chain:
                if stage.stage == "generate" and not cells[-1].id.not_applicable:
                    sheets[stage.key] = _sheet(stage, extractor, where, known)
    matrix = Matrix(
        suite=suite.id,
        title=suite.file.title,
        cells=tuple(cell.id for cell in cells),
        sheets={key: sheet.key for key, sheet in sheets.items()},
    )
    stages = {stage.key: stage for stage in known.values()}
    return Plan(matrix, tuple(cells), stages, tuple(sheets.values()))


def _sheet(
    generate: PlannedStage,
    extractor: Extractor | None,
    where: _Where,
    known: dict[str, PlannedStage],
) -> SheetPlan:
    """The sheet of what a stage generates; its features are a stage of their own behind it."""
    features = None
    if extractor:
        asked = _Asked(
            "features", extractor.identity, extractor.parameters, extractor.files, (generate,)
        )
        features = _stage(asked, where, known)
    made_of = [generate.key, features and features.key, where.setting.quality_sha256]
    if generate.view.method_train.masks:  # real skin is measured outside them
        masks = generate.view.method_train.mask_sha256
        made_of.append(digest_of([where.setting.masks_sha256, masks]))
    return SheetPlan(digest_of({"sheet": made_of}), generate, features)


def _chain(entry: Entry, where: _Where, known: dict[str, PlannedStage]) -> list[PlannedStage]:
    """The stages of one cell in order: the method's, then the baseline's."""
    chain: list[PlannedStage] = []
    for identity, parameters in (
        (entry.method, entry.method_parameters),
        (entry.baseline, entry.baseline_parameters),
    ):
        files = entry.files[identity.plugin.label]
        for name in identity.plugin.file.stages:
            # A baseline's train stage needs what the method generated, not the model behind it.
            asked = _Asked(name, identity, parameters, files, tuple(chain[-1:]))
            chain.append(_stage(asked, where, known))
    return chain


def _stage(asked: _Asked, where: _Where, known: dict[str, PlannedStage]) -> PlannedStage:
    """The stage, one object for all cells that share it; `known` holds those there are."""
    plugin = asked.identity.plugin
    image = image_spec(plugin, asked.parameters, where.view.task)
    ingredients = _ingredients(asked, where, image)
    name = f"{plugin.label} {asked.stage}"
    text = "\n".join([name, *(f"{key}={value}" for key, value in ingredients.items())])
    if text not in known:
        known[text] = PlannedStage(
            key=digest_of([name, ingredients]),
            stage=asked.stage,
            identity=asked.identity,
            parameters=asked.parameters,
            seed=where.seed,
            device=where.setting.device,
            threads=where.setting.threads,
            numerics=where.setting.numerics,
            image=image,
            view=where.view,
            files=asked.files,
            upstream=tuple(stage.key for stage in asked.upstream),
            ingredients=ingredients,
        )
    return known[text]


def _ingredients(asked: _Asked, where: _Where, image: ImageSpec) -> dict[str, str]:
    """All that can change what a stage leaves, by name."""
    found = {
        "contract": str(CONTRACT_VERSION),
        "plug-in": asked.identity.folder_sha256,
        "environment": asked.identity.environment.digest,
        "task": where.view.task,
        "seed": str(where.seed),
        "device": where.setting.device,
        "threads": str(where.setting.threads),
        "numerics": where.setting.numerics,
        "image": f"{image.size_px} px {image.geometry}",
        "decoding": where.setting.decoding_sha256,
        **{f"parameters.{key}": repr(value) for key, value in asked.parameters.items()},
        **_seen(asked, where),
    }
    if where.setting.repeat:
        found["repeat"] = str(where.setting.repeat)
    for stage in asked.upstream:
        found["upstream"] = stage.key
        found["upstream.plugin"] = stage.identity.plugin.label
    return found


def _seen(asked: _Asked, where: _Where) -> dict[str, str]:
    """Digests of the rows a stage sees, by partition."""
    stage, view, plugin = asked.stage, where.view, asked.identity.plugin
    train = view.train if stage == "train" else view.method_train
    seen = {
        "classes": digest_of([view.classes, view.positive, view.axis_tones]),
        "training images": train.labelled_digest,
    }
    if stage != "train" and "masks" in plugin.file.needs:
        seen["masks"] = digest_of([where.setting.masks_sha256, train.mask_sha256])
    if stage == "train":
        at_test = "tone_at_test" in plugin.file.needs
        seen["validation images"] = view.validation.labelled_digest
        seen["test images"] = view.test.toned_digest if at_test else view.test.image_digest
    return seen


def _cell(entry: Entry, where: _Where, chain: list[PlannedStage]) -> CellPlan:
    """The cell and its record's key: the last stage's plus all that scoring depends on."""
    view = where.view
    rules = [view.selection_metric, view.primary_metric, view.published_selection]
    files = (entry.method.plugin.file, entry.baseline.plugin.file)
    control = any(file.control for file in files)
    exclusions = msgspec.to_builtins(view.data.exclusions)
    key = digest_of(
        {
            "train": chain[-1].key,
            "entry": entry.id.label,
            "control": control,
            "method parameters": entry.method_parameters,  # of a method without stages, too
            "truth": [view.validation.labelled_digest, view.test.labelled_digest],
            "rules": [*rules, view.min_support, view.tones],
            "scoring": where.setting.scoring_sha256,
            "leaks": msgspec.to_builtins(view.leaks),
            "audit": [view.n_kin(shown=False), view.n_kin(shown=True)],
            "units": [view.validation.groups, view.test.groups],
            "without tone": view.n_without_tone,
            "stand_in": view.data.stand_in,
            "subset": view.data.subset,
            **({"not scored": dict(view.not_scored)} if view.not_scored else {}),
            **({"exclusions": exclusions} if exclusions else {}),
        }
    )
    cell = CellId(
        entry=entry.id,
        task=view.task,
        seed=where.seed,
        key=key,
        control=control,
        not_applicable=_not_applicable(entry, view, where.setting),
    )
    return CellPlan(cell, entry, view, tuple(stage.key for stage in chain))


def _not_applicable(entry: Entry, view: TaskView, setting: RunSetting) -> str | None:
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
