"""Reads all that a plan needs: suite, plug-ins, data sets, partitions, image contents; then plans.

The thin shell around `plan`: what is read here is handed over as values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import tonegap.scores
import tonegap.synthetic.quality
from tonegap.data.drawn import ensure_drawn
from tonegap.data.index import ImageIndex, index_images
from tonegap.data.masks import mask_paths
from tonegap.data.metadata import Metadata, read_metadata
from tonegap.declared.dataset import Dataset, read_dataset
from tonegap.declared.local_files import Giver, check_given, given_files
from tonegap.declared.plugin import fill_parameters, read_plugin
from tonegap.declared.suite import Suite
from tonegap.declared.task import Task, read_task
from tonegap.engines.base import Engine
from tonegap.errors import BadData, BadRequest, StoreError
from tonegap.files import digest_of, folder_digest, sha256_file
from tonegap.formats.record import DataId, Leaks
from tonegap.numerics import numerics_of
from tonegap.plan.entries import PluginIdentity, entries_of, image_spec
from tonegap.plan.plan import Extractor, Plan, Setting, plan_suite
from tonegap.scores.rules import ScoringRules
from tonegap.split.leaks import crossing_groups, grouped_test_images, leaked_by_tone
from tonegap.split.partition import partition
from tonegap.split.parts import Partition
from tonegap.split.scorable import check_scorable
from tonegap.split.subset import thinned
from tonegap.split.view import Rows, TaskView
from tonegap.store.layout import AUDITS, DRAWN, INDEX
from tonegap.store.store import Store
from tonegap.synthetic.withheld import held_out, kin_of


@dataclass(frozen=True, slots=True)
class Request:
    """What the person at the command line asked for.

    `roots` maps data set ids to the user's downloads. `allow_missing` accepts images that the metadata lists
    and the download lacks; records count them. `cache` takes what is learned of images where the store cannot.
    `repeat` above 0 asks for the same work anew, see `tonegap.scores.repeats`.
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

    @property
    def known(self) -> Path:
        """The folder below which lies what is known of images."""
        return self.cache or self.store.folder


@dataclass(frozen=True, slots=True)
class LoadedData:
    """A data set with its metadata, its image index and the lesion masks of its images."""

    dataset: Dataset
    metadata: Metadata
    index: ImageIndex
    masks: Mapping[str, Path]


def prepare(request: Request) -> Plan:
    """The plan of a request.

    Raises ToneGapError for anything in the rooms or the data that makes it impossible; nothing has run by then.
    """
    suite = request.suite
    plugins = _plugins(request)
    entries = entries_of(suite, plugins)
    extractor = read_extractor(request)
    given = {f for entry in entries for files in entry.files.values() for f in files}
    for file in given.union(extractor.files if extractor else ()):
        check_given(file)
    tasks = [read_task(request.root, task_id) for task_id in suite.file.tasks]
    setting = Setting(
        device=request.device,
        threads=suite.file.threads,
        scoring_sha256=_scoring_digest(),
        quality_sha256=quality_digest(),
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
    engine = Path(tonegap.__file__).parent
    names = ("run/sheets.py", "run/sheet_maker.py", "formats/quality_sheet.py", "tones.py")
    files = (engine / name for name in names)
    return digest_of(
        [folder_digest(Path(tonegap.synthetic.quality.__path__[0])), *map(sha256_file, files)]
    )


def _scoring_digest() -> str:
    """Covers the code that turns predictions into a record."""
    engine = Path(tonegap.__file__).parent
    names = ("run/scoring.py", "formats/truth.py", "formats/record.py", "arrays.py", "tones.py")
    files = (engine / name for name in names)
    return digest_of([folder_digest(Path(tonegap.scores.__path__[0])), *map(sha256_file, files)])


def _views(
    request: Request, tasks: Sequence[Task], *, watched: bool
) -> dict[tuple[str, int], TaskView]:
    """Every task at every seed; where methods are to be watched, with the copies of held-out images."""
    loaded = {
        dataset_id: load_data(request, dataset_id)
        for dataset_id in dict.fromkeys(task.dataset_id for task in tasks)
    }
    made: dict[tuple[str, str], TaskView] = {}
    views = {}
    for task in tasks:
        for seed in seeds_of(request.suite, task):
            same = (task.id, task.pin_key(seed))
            if same not in made:
                data = loaded[task.dataset_id]
                view = task_view(request, task, seed, data)
                made[same] = _with_kin(view, data, request) if watched else view
            views[task.id, seed] = made[same]
    return views


def view_at(request: Request, task: Task, seed: int) -> TaskView:
    """One task at one seed, with the copies of held-out images; raises as `prepare` does."""
    data = load_data(request, task.dataset_id)
    return _with_kin(task_view(request, task, seed, data), data, request)


def _with_kin(view: TaskView, data: LoadedData, request: Request) -> TaskView:
    held = held_out(view.validation, view.test)
    with request.store.writing():
        kin = kin_of(view.train, held, data.index.groups, request.known / AUDITS)
    return replace(view, kin=kin)


def load_data(request: Request, dataset_id: str) -> LoadedData:
    """A data set's metadata and images: drawn if the suite draws it, else read from the user's root."""
    dataset = read_dataset(request.root, dataset_id)
    cache = request.known
    data_root = request.roots.get(dataset_id)
    if data_root is None and dataset.file.drawn is None:
        raise BadRequest(
            f"{request.suite.path}: needs the data set {dataset_id}; pass --root {dataset_id}=DIR. "
            f"How to get it: {dataset.file.access.strip()} Licence: {dataset.file.licence.strip()}"
        )
    if data_root is None:
        data_root = _drawn(request, dataset)
    metadata = read_metadata(dataset, data_root)
    index = index_images(dataset, metadata, data_root, cache / INDEX, request.jobs)
    return LoadedData(dataset, metadata, index, mask_paths(dataset, metadata, index))


def _drawn(request: Request, dataset: Dataset) -> Path:
    """The images that the suite draws, in the store unless they are not there and cannot be drawn there."""
    try:
        return ensure_drawn(dataset, request.store.folder / DRAWN, request.jobs)
    except StoreError:
        if request.cache is None:
            raise
        return ensure_drawn(dataset, request.cache / DRAWN, request.jobs)


def task_view(request: Request, task: Task, seed: int, data: LoadedData) -> TaskView:
    """What one task at one seed puts before the stages, thinned where the suite asks for a subset.

    Raises BadSplit where the partition is not the pinned one, BadData where images it needs are missing or unreadable.
    """
    whole = partition(task, data.metadata, seed)
    made = thinned(whole, request.suite.file.subset, f"{task.id}:{task.pin_key(seed)}")
    rows = {name: _rows(made, name, data) for name in ("train", "validation", "test")}
    missing = _missing(made, data.index)
    if missing and not (request.allow_missing and all(part.ids for part in rows.values())):
        raise _missing_error(task, made, data, missing)
    _check_scorable(task, made, data, rows)
    return TaskView(
        task=task.id,
        split_seed=seed,
        classes=made.classes,
        positive=made.positive,
        tones=task.scored_tones,
        selection_metric=task.selection_metric,
        published_selection=task.published_selection,
        primary_metric=task.primary_metric,
        min_support=task.min_support,
        data=_data_id(data, missing, None if made is whole else request.suite.file.subset),
        train=rows["train"],
        validation=rows["validation"],
        test=rows["test"],
        leaks=_leaks(made, data),
        methods_see_duplicates=task.file.leaks.methods_see_duplicates,
    )


def _leaks(made: Partition, data: LoadedData) -> Leaks:
    """What crosses from training or validation into test: near-duplicates, and declared groups."""
    crossing = crossing_groups(made, data.index.groups)
    by_tone = {tone or "unknown": n for tone, n in leaked_by_tone(made, crossing).items()}
    grouped = grouped_test_images(data.dataset.file.groups, data.metadata, made)
    return Leaks(len(crossing), sum(by_tone.values()), dict(sorted(by_tone.items())), grouped)


def _check_scorable(
    task: Task, made: Partition, data: LoadedData, rows: Mapping[str, Rows]
) -> None:
    rules = ScoringRules(made.classes, made.positive, None, task.min_support, task.scored_tones)
    where = f"{data.metadata.path.parent}: {task.id}"
    check_scorable(where, rules, task.selection_metric, rows["validation"], rows["test"])


def _rows(made: Partition, part: str, data: LoadedData) -> Rows:
    """The rows of one partition whose image is there, in file order; masks for training alone."""
    index = data.index
    here = [
        i
        for i, image_id in enumerate(made.ids)
        if made.parts[i] == part and image_id in index.sha256
    ]
    ids = tuple(made.ids[i] for i in here)
    masks = tuple(data.masks.get(image_id) for image_id in ids) if part == "train" else ()
    return Rows(
        ids=ids,
        labels=tuple(made.labels[i] or "" for i in here),
        tones=tuple(made.tones[i] for i in here),
        sha256=tuple(index.sha256[image_id] for image_id in ids),
        paths=tuple(index.paths[image_id] for image_id in ids),
        masks=masks if any(masks) else (),
        groups=tuple(index.groups[image_id] for image_id in ids),
    )


def _missing(made: Partition, index: ImageIndex) -> dict[str, int]:
    counts: dict[str, int] = {}
    for image_id, part in zip(made.ids, made.parts, strict=True):
        if part != "unused" and image_id not in index.sha256:
            counts[part] = counts.get(part, 0) + 1
    return dict(sorted(counts.items()))


def _missing_error(
    task: Task, made: Partition, data: LoadedData, missing: dict[str, int]
) -> BadData:
    lost = [
        image_id
        for image_id, part in zip(made.ids, made.parts, strict=True)
        if part != "unused" and image_id not in data.index.sha256
    ]
    counts = ", ".join(f"{n} {part}" for part, n in missing.items())
    return BadData(
        f"{data.metadata.path.parent}: {len(lost)} images that {task.id} needs are missing or "
        f"unreadable ({counts}; first: {', '.join(lost[:3])}); see `tonegap data check "
        f"{data.dataset.id} --root DIR`, or pass --allow-missing to run without them, as long as no "
        "partition is empty"
    )


def _data_id(data: LoadedData, missing: dict[str, int], subset: int | None) -> DataId:
    return DataId(
        data_set=data.dataset.id,
        metadata_sha256=data.metadata.sha256,
        images_sha256=data.index.digest,
        stand_in=data.metadata.stand_in,
        drawn=data.dataset.file.drawn is not None,
        missing=missing,
        subset=subset,
    )
