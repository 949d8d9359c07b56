"""Plans a suite as runs and stages with content keys. Pure: everything it needs was read before.

A key is the digest of named ingredients, so that a cache miss can say which of them changed. The mistake it exists to
prevent: a result reused although something that made it is different now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec

from tonegap.declared.local_files import LocalFile
from tonegap.declared.suite import Suite
from tonegap.declared.task import Task
from tonegap.files import digest_of
from tonegap.formats.job import CONTRACT_VERSION, ImageSpec, Parameter
from tonegap.formats.matrix import Matrix, RunId
from tonegap.numerics import Numerics
from tonegap.plan.entries import Entry, FilledPlugin, PluginIdentity
from tonegap.split.view import TaskView
from tonegap.tones import SCALES


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
    files: tuple[LocalFile, ...]
    upstream: tuple[str, ...]
    ingredients: dict[str, str]


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One cell: its id (with the record's key), entry, view, and stages in order of need."""

    id: RunId
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
    """All of a suite: its declared matrix, cells, stages by key, and sheets of its synthetic sets.

    `lines`: what a person should know of its data before it runs.
    """

    matrix: Matrix
    cells: tuple[PlannedRun, ...]
    stages: Mapping[str, PlannedStage]
    sheets: tuple[SheetPlan, ...] = ()
    lines: tuple[str, ...] = ()


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
class Declared:
    """What a suite declares, all of it read: tasks, entries and feature extractor with every parameter filled in.

    `extractor` is None where the suite names none: quality sheets then have no features.
    """

    suite: Suite
    tasks: tuple[Task, ...]
    entries: tuple[Entry, ...]
    extractor: FilledPlugin | None
    setting: RunSetting


def plan_suite(declared: Declared, views: Mapping[tuple[str, int], TaskView]) -> Plan:
    """The plan of a suite; `views` maps every (task, seed) of it, in the suite's order."""
    stages: dict[
        str, PlannedStage
    ] = {}  # by what they are made of: one object for all cells that share it
    cells: list[PlannedRun] = []
    sheets: dict[str, SheetPlan] = {}
    for (task, seed), view in views.items():
        question = _Question(view, seed, declared.setting, stages)
        for entry in (e for e in declared.entries if not e.tasks or task in e.tasks):
            chain: list[PlannedStage] = []
            for part in (entry.method, entry.baseline):
                for name in part.plugin.file.stages:
                    # A baseline's train stage needs what the method generated, not the model behind it.
                    chain.append(question.stage(part, name, chain[-1:]))
            cells.append(_cell(entry, question, chain))
            for stage in chain:
                if stage.stage == "generate" and not cells[-1].id.not_applicable:
                    sheets[stage.key] = _sheet(stage, declared.extractor, question)
    matrix = Matrix(
        suite=declared.suite.id,
        title=declared.suite.file.title,
        cells=tuple(cell.id for cell in cells),
        sheets={key: sheet.key for key, sheet in sheets.items()},
    )
    by_key = {stage.key: stage for stage in stages.values()}
    return Plan(matrix, tuple(cells), by_key, tuple(sheets.values()))


@dataclass(frozen=True, slots=True)
class _Question:
    """One task at one seed, with the stages of the whole plan that are known so far."""

    view: TaskView
    seed: int
    setting: RunSetting
    known: dict[str, PlannedStage]

    def stage(
        self, part: FilledPlugin, name: str, upstream: Sequence[PlannedStage]
    ) -> PlannedStage:
        """The stage of a plug-in, one object for all cells that share it."""
        setting, label = self.setting, f"{part.plugin.label} {name}"
        ingredients = self._ingredients(part, name, upstream)
        text = "\n".join([label, *(f"{key}={value}" for key, value in ingredients.items())])
        if text not in self.known:
            self.known[text] = PlannedStage(
                key=digest_of([label, ingredients]),
                stage=name,
                identity=part.identity,
                parameters=part.parameters,
                seed=self.seed,
                device=setting.device,
                threads=setting.threads,
                numerics=setting.numerics,
                image=part.image,
                view=self.view,
                files=part.files,
                upstream=tuple(stage.key for stage in upstream),
                ingredients=ingredients,
            )
        return self.known[text]

    def _ingredients(
        self, part: FilledPlugin, name: str, upstream: Sequence[PlannedStage]
    ) -> dict[str, str]:
        """All that can change what a stage leaves, by name; of rows what it sees, by partition."""
        view, setting, needs = self.view, self.setting, part.plugin.file.needs
        train = view.train if name == "train" else view.method_train
        found = {
            "contract": str(CONTRACT_VERSION),
            "plug-in": part.identity.folder_sha256,
            "environment": part.identity.environment.digest,
            "task": view.task,
            "seed": str(self.seed),
            "device": setting.device,
            "threads": str(setting.threads),
            "numerics": setting.numerics,
            "image": f"{part.image.size_px} px {part.image.geometry}",
            "decoding": setting.decoding_sha256,
            **{f"parameters.{key}": repr(value) for key, value in part.parameters.items()},
            "classes": digest_of([view.classes, view.positive, view.axis_tones]),
            "training images": train.labelled_digest,
        }
        if name == "train":
            at_test = "tone_at_test" in needs
            found["validation images"] = view.validation.labelled_digest
            found["test images"] = view.test.toned_digest if at_test else view.test.image_digest
        elif "masks" in needs:
            found["masks"] = digest_of([setting.masks_sha256, train.mask_sha256])
        if setting.repeat:
            found["repeat"] = str(setting.repeat)
        for stage in upstream:
            found["upstream"] = stage.key
            found["upstream.plugin"] = stage.identity.plugin.label
        return found


def _sheet(
    generate: PlannedStage, extractor: FilledPlugin | None, question: _Question
) -> SheetPlan:
    """The sheet of what a stage generates; its features are a stage of their own behind it."""
    features = question.stage(extractor, "features", [generate]) if extractor else None
    setting, train = question.setting, generate.view.method_train
    made_of = [generate.key, features and features.key, setting.quality_sha256]
    if train.masks:  # real skin is measured outside them
        made_of.append(digest_of([setting.masks_sha256, train.mask_sha256]))
    return SheetPlan(digest_of({"sheet": made_of}), generate, features)


def _cell(entry: Entry, question: _Question, chain: Sequence[PlannedStage]) -> PlannedRun:
    """The cell and its record's key: the last stage's plus all that scoring depends on."""
    view = question.view
    control = entry.method.plugin.file.control or entry.baseline.plugin.file.control
    exclusions = msgspec.to_builtins(view.data.exclusions)
    key = digest_of(
        {
            "train": chain[-1].key,
            "entry": entry.id.label,
            "control": control,
            "method parameters": entry.method.parameters,  # of a method without stages, too
            "truth": [view.validation.labelled_digest, view.test.labelled_digest],
            "rules": [
                view.selection_metric,
                view.primary_metric,
                view.published_selection,
                view.min_support,
                view.tones,
            ],
            "scoring": question.setting.scoring_sha256,
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
    why_not = _not_applicable(entry, view, question.setting)
    cell = RunId(entry.id, view.task, question.seed, key, control, why_not)
    return PlannedRun(cell, entry, view, tuple(stage.key for stage in chain))


def _not_applicable(entry: Entry, view: TaskView, setting: RunSetting) -> str | None:
    """Why an entry cannot be asked this question, or None."""
    if entry.method.plugin.file.stages and not view.method_train.ids:
        return f"{entry.method.plugin.label} has nothing to learn from: {view.nothing_shown}"
    for part in (entry.method, entry.baseline):
        needs, label = part.plugin.file.needs, part.plugin.label
        if "masks" in needs and not view.has_masks:
            return f"{label} needs lesion masks; the data set has none"
        if "gpu" in needs and setting.device != "cuda":
            return f"{label} needs a GPU; this run uses the CPU"
        if "tone_in_training" in needs and not any(view.train.tones):
            return f"{label} needs tones in training; no training image has one"
        tones = ", ".join(view.axis_tones)
        if "skin_types" in needs and not set(SCALES["fitzpatrick"]).issuperset(view.axis_tones):
            return f"{label} needs tones of the Fitzpatrick scale; this task's are {tones}"
        targets = part.parameters.get("targets")
        if isinstance(targets, list) and not set(view.axis_tones).intersection(targets):
            asked = ", ".join(map(str, targets)) or "empty"
            return f"{label}: targets are {asked}, wanted some of this task's tones: {tones}"
    return None
