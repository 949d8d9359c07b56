"""Reads all that a plan needs: suite, plug-ins, data sets, partitions, image contents; then plans.

The thin shell around `plan`: what is read here is handed over as values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from tonegap.closure import code_digest
from tonegap.data.drawn import ensure_drawn
from tonegap.data.metadata import own_root
from tonegap.declared.dataset import Dataset, read_dataset
from tonegap.declared.local_files import Giver, check_given, given_files
from tonegap.declared.plugin import fill_parameters, read_plugin
from tonegap.declared.suite import Suite
from tonegap.declared.task import Task, read_task
from tonegap.engines.base import Engine
from tonegap.errors import BadRequest, StoreError
from tonegap.files import folder_digest
from tonegap.numerics import numerics_of
from tonegap.plan.entries import PluginIdentity, entries_of, image_spec
from tonegap.plan.plan import Extractor, Plan, RunSetting, plan_suite
from tonegap.split.exclude import IdList
from tonegap.split.load import LoadedData, load_data, task_view
from tonegap.split.view import TaskView
from tonegap.store.layout import AUDITS, DRAWN, INDEX
from tonegap.store.store import Store
from tonegap.synthetic.withheld import group_kin, held_out, kin_of


@dataclass(frozen=True, slots=True)
class Request:
    """What the person at the command line asked for.

    `roots` maps data set ids to the user's downloads. `allow_missing` accepts images that the metadata lists
    and the download lacks; records count them. `cache` takes what is learned of images where the store cannot.
    `repeat` above 0 asks for the same work anew, see `tonegap.scores.repeats`. `excluded` maps data set ids to lists
    of images that are left out.
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

    @property
    def known(self) -> Path:
        """The folder below which lies what is known of images."""
        return self.cache or self.store.folder


def prepare(request: Request) -> Plan:
    """The plan of a request.

    Raises ToneGapError for anything in the suite folders or the data that makes it impossible; nothing has run by then.
    """
    suite = request.suite
    plugins = _plugins(request)
    entries = entries_of(suite, plugins)
    extractor = read_extractor(request)
    given = {f for entry in entries for files in entry.files.values() for f in files}
    for file in given.union(extractor.files if extractor else ()):
        check_given(file, request.root)
    tasks = [read_task(request.root, task_id) for task_id in suite.file.tasks]
    setting = RunSetting(
        device=request.device,
        threads=suite.file.threads,
        scoring_sha256=code_digest("tonegap.run.scoring"),
        decoding_sha256=code_digest("tonegap.data.decode"),
        quality_sha256=quality_digest(),
        masks_sha256=code_digest("tonegap.data.mask_file"),
        numerics=numerics_of(suite.file.numerics, request.device),
        repeat=request.repeat,
    )
    watched = any(entry.method.plugin.file.stages for entry in entries)
    views = _views(request, tasks, watched=watched)
    return plan_suite(suite, entries, views, setting, extractor)


def seeds_of(suite: Suite, task: Task) -> tuple[int, ...]:
    """The seeds a suite runs a task at."""
    return task.seeds if suite.file.seeds == "published" else suite.file.seeds


def _plugins(request: Request) -> dict[str, PluginIdentity]:
    wanted = {
        (kind, plugin_id)
        for row in request.suite.file.entries
        for kind, ids in (("method", row.methods), ("baseline", row.baselines))
        for plugin_id in ids
    }
    found = {}
    for kind, plugin_id in sorted(wanted):
        plugin = read_plugin(request.root, kind, plugin_id)
        environment = request.engine.environment(plugin)
        found[plugin.label] = PluginIdentity(plugin, folder_digest(plugin.folder), environment)
    return found


def read_extractor(request: Request) -> Extractor | None:
    """The suite's feature extractor, if it names one."""
    suite, quality = request.suite, request.suite.file.quality
    if quality is None:
        return None
    plugin = read_plugin(request.root, "extractor", quality.extractor)
    values = fill_parameters(plugin, quality.parameters, str(suite.path))
    image_spec(plugin, values, str(suite.path))
    files = given_files(plugin, values, Giver(str(suite.path), suite.root))
    environment = request.engine.environment(plugin)
    identity = PluginIdentity(plugin, folder_digest(plugin.folder), environment)
    return Extractor(identity, values | {f.parameter: f.public for f in files}, files)


def quality_digest() -> str:
    """Covers the code that turns a synthetic set and its features into a quality sheet."""
    return code_digest("tonegap.run.sheet_maker")


def _views(
    request: Request, tasks: Sequence[Task], *, watched: bool
) -> dict[tuple[str, int], TaskView]:
    """Every task at every seed; where methods are to be watched, with the copies of held-out images."""
    loaded = {
        dataset_id: _load(request, dataset_id)
        for dataset_id in dict.fromkeys(task.dataset_id for task in tasks)
    }
    made: dict[tuple[str, str], TaskView] = {}
    views = {}
    for task in tasks:
        for seed in seeds_of(request.suite, task):
            same = (task.id, task.pin_key(seed))
            if same not in made:
                data = loaded[task.dataset_id]
                view = _view(request, task, seed, data)
                made[same] = _with_kin(view, data, request) if watched else view
            views[task.id, seed] = made[same]
    return views


def view_at(request: Request, task: Task, seed: int) -> TaskView:
    """One task at one seed, with the copies of held-out images; raises as `prepare` does."""
    data = _load(request, task.dataset_id)
    return _with_kin(_view(request, task, seed, data), data, request)


def _with_kin(view: TaskView, data: LoadedData, request: Request) -> TaskView:
    held = held_out(view.validation, view.test)
    with request.store.writing():
        kin = kin_of(view.train, held, data.index.groups, request.known / AUDITS)
    return replace(view, kin=group_kin(view.train.ids, view.held_out, data.metadata) | kin)


def _load(request: Request, dataset_id: str) -> LoadedData:
    """A data set: from the user's root, else from its own folder where its data lie there, else drawn."""
    dataset = read_dataset(request.root, dataset_id)
    data_root = request.roots.get(dataset_id) or own_root(dataset)
    if data_root is None and dataset.file.drawn is None:
        raise BadRequest(
            f"{request.suite.path}: needs the data set {dataset_id}; pass --root {dataset_id}=DIR. "
            f"How to get it: {dataset.file.access.strip().rstrip('.')}. Licence: {dataset.file.licence.strip()}"
        )
    if data_root is None:
        data_root = _drawn(request, dataset)
    excluded = request.excluded.get(dataset_id, ())
    return load_data(dataset, data_root, request.known / INDEX, request.jobs, excluded)


def _view(request: Request, task: Task, seed: int, data: LoadedData) -> TaskView:
    """One task at one seed, as the request wants it; raises as `task_view` does."""
    subset, allow_missing = request.suite.file.subset, request.allow_missing
    return task_view(task, seed, data, subset=subset, allow_missing=allow_missing)


def _drawn(request: Request, dataset: Dataset) -> Path:
    """The images that the suite draws, in the store unless they are not there and cannot be drawn there."""
    try:
        return ensure_drawn(dataset, request.store.folder / DRAWN, request.jobs)
    except StoreError:
        if request.cache is None:
            raise
        return ensure_drawn(dataset, request.cache / DRAWN, request.jobs)
