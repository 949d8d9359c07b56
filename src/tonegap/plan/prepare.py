"""From a request to a plan in three hand-overs: what is declared, what one task and seed has, the plan.

Everything is read here and handed over as values; `tonegap.plan.plan` reads nothing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tonegap.closure import HANDED_OVER, code_digest
from tonegap.data.drawn import COMPLETE, drawn_folder, ensure_drawn
from tonegap.data.masks import Masked, unusable_masks
from tonegap.data.metadata import own_root
from tonegap.declared.dataset import read_dataset
from tonegap.declared.exposure import read_exposure
from tonegap.declared.local_files import LocalFile, absent_asset, check_local_file, fetch_it
from tonegap.declared.plugin import Plugin, read_plugin
from tonegap.declared.suite import Suite, plugins_of
from tonegap.declared.task import Task, read_task
from tonegap.engines.base import Engine
from tonegap.errors import BadData, BadRequest
from tonegap.files import folder_digest, is_there
from tonegap.numerics import numerics_of
from tonegap.plan.entries import Entry, FilledPlugin, PluginIdentity, entries_of, in_suite
from tonegap.plan.plan import Declared, Plan, PlannedStage, RunSetting, plan_suite
from tonegap.split.id_lists import IdList
from tonegap.split.load import LoadedData, load_data, task_view
from tonegap.split.view import TaskView
from tonegap.store.layout import AUDITS, DRAWN, INDEX, sheet_unit
from tonegap.store.store import Store
from tonegap.synthetic.withheld import held_out, withheld_by_group, withheld_copies


@dataclass(frozen=True, slots=True)
class Request:
    """What the person at the command line asked for.

    `roots` maps data set ids to the user's downloads. `allow_missing` accepts images that the metadata lists
    and the download lacks; records count them. `cache` takes what is learned of images where the store cannot.
    `repeat` above 0 asks for the same work anew, see `tonegap.scores.repeats`. `excluded` maps data set ids to lists
    of images that are left out. With `only_looks` assets that are not fetched are told instead of refused.
    """

    root: Path
    suite: Suite
    store: Store
    engine: Engine
    roots: Mapping[str, Path]
    device: str
    jobs: int
    allow_missing: bool
    cache: Path | None = None
    repeat: int = 0
    excluded: Mapping[str, tuple[IdList, ...]] = field(default_factory=dict)
    only_looks: bool = False

    @property
    def known(self) -> Path:
        """The folder below which lies what is known of images."""
        return self.cache or self.store.folder


def prepare(request: Request) -> Plan:
    """The plan of a request.

    Raises ToneGapError for anything in the suite folders or the data that makes it impossible; nothing has run by then.
    """
    declared = read_declared(request)
    seeds = request.suite.file.seeds
    asked = [(t, s) for t in declared.tasks for s in (t.seeds if seeds == "published" else seeds)]
    watched = any(entry.method.plugin.file.stages for entry in declared.entries)
    plan = plan_suite(declared, task_views(request, asked, watched=watched))
    given = _given(declared.entries, declared.extractor)
    absent = dict(filter(None, (absent_asset(file, request.root) for file in given)))
    lines = (f"not here, and a run needs it: {fetch_it(*one)}" for one in absent.items())
    return replace(
        plan,
        lines=(*lines, *_check_masks(plan, request.store)),
        missing={name: asset.size for name, asset in absent.items()},
    )


def _given(entries: Sequence[Entry], extractor: FilledPlugin | None) -> list[LocalFile]:
    """The local files and folders of entries and of what measures their images, each once."""
    parts = {id(part): part for entry in entries for part in entry.parts}
    every = [*parts.values(), *([extractor] if extractor else [])]
    return list(dict.fromkeys(file for part in every for file in part.files))


def _check_masks(plan: Plan, store: Store) -> tuple[str, ...]:
    """A line for each method whose images get no quality sheet: real skin is measured outside masks that are unusable.

    Opens the masks that stages and sheets to be made will read. Raises BadData where a stage is given unusable ones.
    """
    asked = dict.fromkeys(k for run in plan.runs if not run.id.not_applicable for k in run.stages)
    given = [plan.stages[key] for key in asked if not store.has_stage(key)]
    given = [s for s in given if s.stage != "train" and "masks" in s.identity.plugin.file.needs]
    sheets = (s for s in plan.sheets if not (store.folder / sheet_unit(s.key)).exists())
    measured = [sheet.generate for sheet in sheets]
    pairs = dict.fromkeys(pair for stage in (*given, *measured) for pair in _masked(stage))
    problems = unusable_masks(list(pairs)) if pairs else {}
    refused = filter(None, (_unusable(stage, problems, "needs masks") for stage in given))
    if said := next(refused, ""):
        raise BadData(said)
    what = "gets no quality sheet, which measures real skin outside masks"
    lines = (_unusable(stage, problems, what) for stage in measured)
    return tuple(dict.fromkeys(filter(None, lines)))


def _masked(stage: PlannedStage) -> list[Masked]:
    rows = stage.view.method_train
    return [(mask, path) for mask, path in zip(rows.masks, rows.paths, strict=False) if mask]


def _unusable(stage: PlannedStage, problems: Mapping[Masked, str], what: str) -> str:
    """The sentence on a stage whose training images have unusable masks, "" where they have none."""
    of = _masked(stage)
    bad = [pair for pair in of if pair in problems]
    if not bad:
        return ""
    return (
        f"{bad[0][0].path}: not a usable mask: {problems[bad[0]]}; that is so of {len(bad):,} of the {len(of):,} "
        f"masks of {stage.view.task}'s training images, and {stage.identity.plugin.label} {what}; `tonegap data "
        f"check {stage.view.data.data_set} --root DIR` names them all: replace them or take them away"
    )


def read_declared(request: Request) -> Declared:
    """What the suite of a request declares. Raises BadSuiteFolder for what is not as it must be, local files too."""
    suite, engine = request.suite, request.engine
    plugins = {p.label: _identity(p, engine) for p in plugins_of(suite)}
    entries = entries_of(suite, plugins)
    extractor = read_extractor(suite, engine)
    for file in _given(entries, extractor):
        if not (request.only_looks and absent_asset(file, request.root)):
            check_local_file(file, request.root)
    setting = RunSetting(
        device=request.device,
        threads=suite.file.threads,
        scoring_sha256=code_digest("tonegap.run.scoring"),
        inputs_sha256=inputs_digest(),
        quality_sha256=quality_digest(),
        masks_sha256=code_digest("tonegap.data.mask_file"),
        numerics=numerics_of(suite.file.numerics, request.device),
        repeat=request.repeat,
    )
    tasks = tuple(read_task(request.root, task_id) for task_id in suite.file.tasks)
    return Declared(suite, tasks, entries, extractor, setting, read_exposure(request.root))


def _identity(plugin: Plugin, engine: Engine) -> PluginIdentity:
    return PluginIdentity(plugin, folder_digest(plugin.folder), engine.environment(plugin))


def read_extractor(suite: Suite, engine: Engine) -> FilledPlugin | None:
    """The suite's feature extractor with its parameters, if it names one. Raises BadSuiteFolder."""
    quality = suite.file.quality
    if quality is None:
        return None
    plugin = read_plugin(suite.root, "extractor", quality.extractor)
    return in_suite(suite, _identity(plugin, engine), quality.parameters)


def inputs_digest() -> str:
    """Covers the code that writes what a stage sees, and its variables. Plan, split and store have their own."""
    return code_digest("tonegap.run.inputs", "tonegap.engines.variables", but=HANDED_OVER)


def quality_digest() -> str:
    """Covers the code that turns a synthetic set and its features into a quality sheet."""
    return code_digest("tonegap.run.sheet_maker")


def task_views(
    request: Request, asked: Iterable[tuple[Task, int]], *, watched: bool
) -> dict[tuple[str, int], TaskView]:
    """What each task has at each of these seeds, by (task, seed); one object for seeds that move no image.

    Where methods are `watched`, with the training images that have a copy or a patient that is held out. Raises
    BadRequest where a data set is not at hand, and as `task_view` does.
    """
    pairs = list(asked)
    data = {name: _load(request, name) for name in dict.fromkeys(t.dataset_id for t, _ in pairs)}
    made: dict[tuple[str, str], TaskView] = {}
    for task, seed in pairs:
        same = (task.id, task.pin_key(seed))
        if same not in made:
            of, subset = data[task.dataset_id], request.suite.file.subset
            view = task_view(task, seed, of, subset=subset, allow_missing=request.allow_missing)
            if watched:
                held = held_out(view.validation, view.test)
                with request.store.writing():
                    copies = withheld_copies(
                        view.train, held, of.index.groups, request.known / AUDITS
                    )
                of_groups = withheld_by_group(view.train.ids, view.held_out, of.metadata)
                # Of an image that is both, the reason counts that withholds it.
                shown = view.methods_see_duplicates
                view = replace(view, copies=copies | of_groups if shown else of_groups | copies)
            made[same] = view
    return {(task.id, seed): made[task.id, task.pin_key(seed)] for task, seed in pairs}


def _load(request: Request, dataset_id: str) -> LoadedData:
    """A data set: from the user's root, else from its own folder where its data lie there, else drawn.

    It is drawn in the store, or in the cache where a request has one and the store does not have it.
    """
    dataset = read_dataset(request.root, dataset_id)
    data_root = request.roots.get(dataset_id) or own_root(dataset)
    if data_root is None and dataset.file.drawn is None:
        raise BadRequest(
            f"{request.suite.path}: needs the data set {dataset_id}; pass --root {dataset_id}=DIR. "
            f"How to get it: {dataset.file.access.strip().rstrip('.')}. Licence: {dataset.file.licence.strip()}"
        )
    if data_root is None:
        at = request.store.folder / DRAWN
        if request.cache and not is_there(drawn_folder(dataset, at) / COMPLETE):
            at = request.cache / DRAWN
        data_root = ensure_drawn(dataset, at, request.jobs)
    excluded = request.excluded.get(dataset_id, ())
    return load_data(dataset, data_root, request.known / INDEX, request.jobs, excluded)
