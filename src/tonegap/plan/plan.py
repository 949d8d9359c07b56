"""Plans a suite as runs and stages with content keys. Pure: everything it needs was read before.

A key is the digest of named ingredients, so that a cache miss can say which of them changed. The mistake it exists to
prevent: a result reused although something that made it is different now.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from tonegap.declared.exposure import Known, exposures_of
from tonegap.declared.local_files import LocalFile
from tonegap.declared.suite import Suite
from tonegap.declared.task import Task
from tonegap.files import digest_of
from tonegap.formats.job import CONTRACT_VERSION, ImageSpec, Parameter
from tonegap.formats.matrix import Matrix, RunId
from tonegap.formats.record import Exposure
from tonegap.numerics import Numerics
from tonegap.plan.applicable import not_applicable
from tonegap.plan.entries import Entry, FilledPlugin, PluginIdentity
from tonegap.split.view import TaskView


@dataclass(frozen=True, slots=True)
class PlannedStage:
    """One stage to run: its key, the ingredients behind it, and what it needs from upstream.

    `banks`: of a train stage on features the stages upstream that leave them, the one of real images first.
    """

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
    banks: tuple[str, ...] = ()

    @property
    def made(self) -> tuple[str, ...]:
        """The keys upstream that are no feature banks: what a method left."""
        return tuple(key for key in self.upstream if key not in self.banks)

    def n_gpus(self, several: int) -> int:
        """How many GPUs it is given: `several` if its plug-in can use them in this stage, else one; none on the CPU."""
        if self.device != "cuda":
            return 0
        return several if self.stage in self.identity.plugin.file.several_gpus else 1


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run: its id (with the record's key), entry, view, stages in order of need, and what its files have seen."""

    id: RunId
    entry: Entry
    view: TaskView
    stages: tuple[str, ...]
    exposure: tuple[Exposure, ...] = ()


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
    """All of a suite: its declared matrix, runs, stages by key, and sheets of its synthetic sets.

    `lines`: what a person should know of its data before it runs. `missing`: bytes of each asset that is not here.
    """

    matrix: Matrix
    runs: tuple[PlannedRun, ...]
    stages: Mapping[str, PlannedStage]
    sheets: tuple[SheetPlan, ...] = ()
    lines: tuple[str, ...] = ()
    missing: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RunSetting:
    """What a run fixes for all of its stages; `repeat` counts anew from 1 where the same work is done again."""

    device: str
    threads: int
    scoring_sha256: str
    inputs_sha256: str
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
    exposure: Known = field(default_factory=dict)


def plan_suite(declared: Declared, views: Mapping[tuple[str, int], TaskView]) -> Plan:
    """The plan of a suite; `views` maps every (task, seed) of it, in the suite's order."""
    stages: dict[
        str, PlannedStage
    ] = {}  # by what they are made of: one object for all runs that share it
    runs: list[PlannedRun] = []
    sheets: dict[str, SheetPlan] = {}
    for (task, seed), view in views.items():
        question = _Question(view, seed, declared.setting, stages)
        for entry in (e for e in declared.entries if not e.tasks or task in e.tasks):
            chain: list[PlannedStage] = []
            for name in entry.method.plugin.file.stages:
                chain.append(question.stage(entry.method, name, chain[-1:]))
            # A baseline's train stage needs what the method generated, not the model behind it.
            made, banks = chain[-1:], question.banks(entry, chain[-1:])
            for name in entry.baseline.plugin.file.stages:
                chain += [*banks, question.stage(entry.baseline, name, made, banks)]
            if entry.postprocessor is not None:
                for name in entry.postprocessor.plugin.file.stages:
                    chain.append(question.stage(entry.postprocessor, name, chain[-1:]))
            runs.append(_run(entry, question, chain, declared.exposure))
            for stage in chain:
                if stage.stage == "generate" and not runs[-1].id.not_applicable:
                    sheets[stage.key] = _sheet(stage, declared.extractor, question)
    matrix = Matrix(
        suite=declared.suite.id,
        title=declared.suite.file.title,
        runs=tuple(run.id for run in runs),
        sheets={key: sheet.key for key, sheet in sheets.items()},
    )
    by_key = {stage.key: stage for stage in stages.values()}
    return Plan(matrix, tuple(runs), by_key, tuple(sheets.values()))


@dataclass(frozen=True, slots=True)
class _Question:
    """One task at one seed, with the stages of the whole plan that are known so far."""

    view: TaskView
    seed: int
    setting: RunSetting
    known: dict[str, PlannedStage]

    def banks(self, entry: Entry, made: Sequence[PlannedStage]) -> list[PlannedStage]:
        """The stages that leave an entry's features: of all real images, and of those that were made."""
        if entry.extractor is None:
            return []
        sets: list[Sequence[PlannedStage]] = [(), made] if made else [()]
        return [self.stage(entry.extractor, "embed", upstream) for upstream in sets]

    def stage(
        self,
        part: FilledPlugin,
        name: str,
        upstream: Sequence[PlannedStage],
        banks: Sequence[PlannedStage] = (),
    ) -> PlannedStage:
        """The stage of a plug-in, one object for all runs that share it."""
        setting, label = self.setting, f"{part.plugin.label} {name}"
        embeds = name == "embed"
        ingredients = (
            self._frozen(part, upstream) if embeds else self._ingredients(part, name, upstream)
        )
        ingredients |= {"banks": " ".join(bank.key for bank in banks)} if banks else {}
        text = "\n".join([label, *(f"{key}={value}" for key, value in ingredients.items())])
        if text not in self.known:
            self.known[text] = PlannedStage(
                key=digest_of([label, ingredients]),
                stage=name,
                identity=part.identity,
                parameters=part.parameters,
                seed=0 if embeds else self.seed,
                device=setting.device,
                threads=setting.threads,
                numerics=setting.numerics,
                image=part.image,
                view=self.view,
                files=part.files,
                upstream=tuple(stage.key for stage in (*upstream, *banks)),
                ingredients=ingredients,
                banks=tuple(stage.key for stage in banks),
            )
        return self.known[text]

    def _frozen(self, part: FilledPlugin, upstream: Sequence[PlannedStage]) -> dict[str, str]:
        """All that can change what an embed stage leaves: of the task its images alone, so that its seeds share it."""
        found = self._of_part(part)
        found["images"] = upstream[0].key if upstream else self.view.unlabelled.image_digest
        if upstream:
            found["upstream"] = upstream[0].key
            found["upstream.plugin"] = upstream[0].identity.plugin.label
        return found

    def _of_part(self, part: FilledPlugin) -> dict[str, str]:
        """What a stage's plug-in, its parameters and the run's setting add to its key."""
        setting = self.setting
        found = {
            "contract": str(CONTRACT_VERSION),
            "plug-in": part.identity.folder_sha256,
            "environment": part.identity.environment.digest,
            "device": setting.device,
            "threads": str(setting.threads),
            "numerics": setting.numerics,
            "image": f"{part.image.size_px} px {part.image.geometry}",
            "inputs": setting.inputs_sha256,
            **{f"parameters.{key}": repr(value) for key, value in part.parameters.items()},
        }
        if setting.repeat:
            found["repeat"] = str(setting.repeat)
        return found

    def _ingredients(
        self, part: FilledPlugin, name: str, upstream: Sequence[PlannedStage]
    ) -> dict[str, str]:
        """All that can change what a stage leaves, by name; of rows what it sees, by partition."""
        view, setting, needs = self.view, self.setting, part.plugin.file.needs
        at_test = "tone_at_test" in needs
        train = view.train if name == "train" else view.method_train
        found = {
            **self._of_part(part),
            "task": view.task,
            "seed": str(self.seed),
            "classes": digest_of([view.classes, view.positive, view.axis_tones]),
            "training images": train.labelled_digest,
        }
        if name == "postprocess":  # sees predictions, and of images their ids
            for one in ("image", "training images"):
                del found[one]
            found["validation rows"] = view.validation.told_digest(labels=True)
            found["test rows"] = view.test.told_digest(tones=at_test)
        elif name == "train":
            found["validation images"] = view.validation.labelled_digest
            found["test images"] = view.test.toned_digest if at_test else view.test.image_digest
        elif "masks" in needs:
            found["masks"] = digest_of([setting.masks_sha256, train.mask_sha256])
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


def _run(
    entry: Entry, question: _Question, chain: Sequence[PlannedStage], known: Known
) -> PlannedRun:
    """The run and its record's key: the last stage's plus all that scoring depends on."""
    view = question.view
    files = [(part.plugin, part.files) for part in entry.parts]
    exposure = exposures_of(files, view.data.asked, known, view.data.trained_on)
    behind, control = entry.postprocessor, any(part.plugin.file.control for part in entry.parts)
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
            "audit": [view.n_copies(shown=False), view.n_copies(shown=True)],
            "units": [view.validation.groups, view.test.groups],
            "without tone": view.n_without_tone,
            "stand_in": view.data.stand_in,
            "subset": view.data.subset,
            **({"not scored": dict(view.not_scored)} if view.not_scored else {}),
            **({"exclusions": exclusions} if exclusions else {}),
            **({"post-processor parameters": behind.parameters} if behind else {}),
            **({"exposure": msgspec.to_builtins(exposure)} if exposure else {}),
        }
    )
    why_not = not_applicable(entry, view, question.setting.device)
    run = RunId(entry.id, view.task, question.seed, key, control, why_not)
    return PlannedRun(run, entry, view, tuple(stage.key for stage in chain), exposure)
