"""Lists every problem of a suite root at once, so that nobody mends a file ten times in a row."""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

from tonegap.checks.readiness import check_tasks
from tonegap.data.drawn import drawn_metadata
from tonegap.data.metadata import Metadata, own_root, read_metadata
from tonegap.declared.assets import read_assets
from tonegap.declared.dataset import DATASET_FILE, Dataset, DatasetFile, dataset_ids, read_dataset
from tonegap.declared.exposure import EXPOSURE, read_exposure, unknown_data_sets
from tonegap.declared.plugin import (
    ANY_DATA_SET,
    FOLDERS,
    fill_parameters,
    missing_program,
    plugin_ids,
    read_plugin,
)
from tonegap.declared.rates import RATES, rate_problems, read_rates
from tonegap.declared.suite import (
    NOTHING,
    Suite,
    check_common_parameters,
    plugins_of,
    read_suite,
    suite_ids,
)
from tonegap.declared.task import Task, read_task, task_ids
from tonegap.errors import BadSuiteFolder, ToneGapError
from tonegap.formats.job import Parameter
from tonegap.lines import did_you_mean
from tonegap.split.malignant import misspelt_malignant
from tonegap.texts import read_text

T = TypeVar("T")
_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)", re.MULTILINE | re.IGNORECASE)
_PIP = re.compile(r"\bpip3?\s+install\b(?!.*--require-hashes)", re.IGNORECASE)
_CLONE = re.compile(r"\bgit\s+clone\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class DeclaredProblem:
    """What is wrong, and where: a path below the suite root."""

    where: str
    text: str


@dataclass(slots=True)
class _Listing:
    """The problems of a suite root found so far."""

    root: Path
    found: set[DeclaredProblem] = field(default_factory=set)

    def say(self, path: Path, text: str) -> None:
        where = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        self.found.add(DeclaredProblem(where.as_posix(), text))

    def tried(self, call: Callable[[], T], at: Path | None = None) -> T | None:
        """What a call gives; None, and a problem at the file that the error names (or `at`), where it raises."""
        try:
            return call()
        except ToneGapError as e:
            where, _, text = str(e).partition(": ")
            self.say(at or Path(where), str(e).removeprefix(f"{at}: ") if at else text)
        return None


def check_declared(root: Path) -> list[DeclaredProblem]:
    """All problems of data sets, tasks, plug-ins, Dockerfiles and suites, sorted by place."""
    listing = _Listing(root)
    read = {n: listing.tried(partial(read_dataset, root, n)) for n in dataset_ids(root)}
    tasks = [t for n in task_ids(root) if (t := listing.tried(partial(read_task, root, n)))]
    for task in tasks:
        if dataset := read.get(task.dataset_id):
            for text in _undeclared_names(task, dataset.file):
                listing.say(task.path, text)
    _check_exposure(listing, list(read))
    for kind in FOLDERS:
        _check_plugins(listing, kind)
    _check_rates(listing)
    listing.tried(partial(read_assets, root))
    for name in suite_ids(root):
        if suite := listing.tried(partial(read_suite, root, name)):
            for check in _suite_checks(root, suite):
                listing.tried(check, suite.path)
    for dataset in filter(None, read.values()):
        _check_rows(listing, dataset, [task for task in tasks if task.dataset_id == dataset.id])
    return sorted(listing.found)


def _at_hand(dataset: Dataset) -> Metadata | None:
    """The rows of a data set that is drawn here or lies beside its declaration; None of others and damaged ones."""
    own = own_root(dataset)
    if own is None and dataset.file.drawn is None:
        return None
    try:
        return read_metadata(dataset, own) if own else drawn_metadata(dataset)
    except ToneGapError:
        return None  # said by `data check`


def _check_rows(listing: _Listing, dataset: Dataset, tasks: list[Task]) -> None:
    """Tasks that could not be scored on rows at hand, and cells that count as benign for their spelling."""
    metadata = _at_hand(dataset)
    if metadata is None:
        return
    for task, answer in zip(tasks, check_tasks(tasks, metadata, metadata.ids), strict=True):
        if answer.reason:
            listing.say(task.path, answer.reason.removeprefix(f"{task.id}: "))
    if problem := misspelt_malignant(dataset, metadata):
        listing.say(dataset.folder / DATASET_FILE, problem)


def _undeclared_names(task: Task, dataset: DatasetFile) -> Iterator[str]:
    """Columns and the tone axis that a task names and its data set does not declare."""
    file = task.file
    if task.tone_axis not in dataset.tones:
        known = ", ".join(dataset.tones) or "none"
        yield f"tones.axis: {task.tone_axis!r} is no tone axis of the data set; there are: {known}"
    named = [("labels.column", file.labels.column)]
    if file.labels.positive_where:
        named.append(("labels.positive_where.column", file.labels.positive_where.column))
    for part, rule in (("split", file.split), ("validation", file.validation)):
        for key in ("column", "columns", "stratify"):
            value = getattr(rule, key, ())
            columns = (value,) if isinstance(value, str) else value
            named += [(f"{part}.{key}", column) for column in columns if column]
    for key, column in named:
        if column not in dataset.columns:
            near, known = did_you_mean(column, dataset.columns), ", ".join(dataset.columns)
            yield f"{key}: {column!r} is no column of the data set{near}; there are: {known}"


def _check_exposure(listing: _Listing, data_sets: list[str]) -> None:
    """Answers about files of weights that cannot be read, or are about no data set."""
    for sha256, seen in (listing.tried(partial(read_exposure, listing.root)) or {}).items():
        for text in unknown_data_sets(seen, data_sets):
            listing.say(listing.root / EXPOSURE, f"sha256 {sha256[:12]}…: seen: {text}")


def _check_plugins(listing: _Listing, kind: str) -> None:
    """Plug-ins that cannot be read, whose command is nowhere, or whose image another day builds otherwise."""
    place, known = listing.root / FOLDERS[kind], dataset_ids(listing.root)
    for folder in sorted(place.glob("*/")):
        if not (folder / f"{kind}.toml").exists() and any(folder.iterdir()):
            listing.say(folder, f"no {kind}.toml; every folder here is a {kind}")
    for name in plugin_ids(listing.root, kind):
        plugin = listing.tried(partial(read_plugin, listing.root, kind, name))
        if plugin and (missing := missing_program(plugin)):
            text = f"command: {missing!r} is no program on this machine's PATH"
            listing.say(place / name / f"{kind}.toml", text)
        said = plugin.file.exposure.keys() - {ANY_DATA_SET} if plugin else ()
        for text in unknown_data_sets(said, known):
            listing.say(place / name / f"{kind}.toml", f"exposure: {text}")
        path = place / name / "Dockerfile"
        content = (
            listing.tried(partial(read_text, path, BadSuiteFolder), path) if path.exists() else None
        )
        for problem in _unpinned((content or "").replace("\\\n", " ")):
            listing.say(path, problem)


def _check_rates(listing: _Listing) -> None:
    """Rates that cannot be read, or of what no plug-in has."""
    kinds, path = {folder: kind for kind, folder in FOLDERS.items()}, listing.root / RATES
    for stage, rates in (listing.tried(partial(read_rates, listing.root)) or {}).items():
        label = stage.partition(" ")[0]
        folder, _, name = label.partition("/")
        if folder not in kinds or name not in plugin_ids(listing.root, kinds[folder]):
            listing.say(path, f"stages: there is no {label!r}, wanted one as `methods/NAME STAGE`")
        elif plugin := listing.tried(partial(read_plugin, listing.root, kinds[folder], name)):
            for text in (text for rate in rates for text in rate_problems(stage, rate, plugin)):
                listing.say(path, text)


def _unpinned(dockerfile: str) -> Iterator[str]:
    for base in _FROM.findall(dockerfile):
        if "@sha256:" not in base and base != "${BASE_IMAGE}":
            yield f"FROM {base}: wanted a digest (@sha256:…) or ${{BASE_IMAGE}}"
    if _PIP.search(dockerfile):
        yield "pip install without --require-hashes"
    if _CLONE.search(dockerfile):
        yield "git clone: copy pinned files into the folder instead"


def _suite_checks(root: Path, suite: Suite) -> Iterator[Callable[[], object]]:
    """One check for every task, plug-in and parameter that a suite names."""
    file = suite.file
    for task_id in file.tasks:
        yield partial(read_task, root, task_id)
    asked: list[tuple[str, dict[str, Parameter]]] = []
    for row in file.entries:
        asked += [(f"methods/{name}", row.method_parameters) for name in row.methods]
        asked += [(f"baselines/{name}", row.baseline_parameters) for name in row.baselines]
        behind = (one for one in row.postprocessors if one != NOTHING)
        asked += [(f"postprocessors/{name}", row.postprocessor_parameters) for name in behind]
    if file.quality:
        asked.append((f"{FOLDERS['extractor']}/{file.quality.extractor}", file.quality.parameters))
    asked += [(label, values) for label, values in file.parameters.items() if "/" in label]
    for label, values in asked:
        yield partial(_fill, root, label, values, str(suite.path))
    yield partial(_check_common, suite)
    for row in file.entries:
        named = (f"postprocessors/{one}" for one in row.postprocessors if one != NOTHING)
        for label in (*(f"baselines/{one}" for one in row.baselines), *named):
            yield partial(_check_two_classes, root, suite, label, row.tasks or file.tasks)


def _check_common(suite: Suite) -> None:
    """Parameters for all plug-ins of a kind; nothing where a plug-in cannot be read, which is said of that."""
    try:
        plugins = plugins_of(suite)
    except BadSuiteFolder:
        return
    check_common_parameters(suite, plugins)


def _check_two_classes(root: Path, suite: Suite, label: str, tasks: Sequence[str]) -> None:
    """Raises BadSuiteFolder for a plug-in that needs two classes, in a row none of whose tasks has them."""
    folder, _, plugin_id = label.partition("/")
    if "two_classes" not in read_plugin(root, folder.removesuffix("s"), plugin_id).file.needs:
        return
    counted = {}
    for task in (read_task(root, task_id) for task_id in tasks):
        labels = task.file.labels
        if labels.classes == "all" or labels.positive_where is not None:
            return  # known by the data set's rows alone
        counted[task.id] = (len(labels.classes), len(labels.positive))
    if (2, 1) not in counted.values():
        has = "; ".join(f"{task} has {n} and {m}" for task, (n, m) in counted.items())
        raise BadSuiteFolder(
            f"{suite.path}: {label} needs two classes, one of them positive; {has}"
        )


def _fill(root: Path, label: str, values: dict[str, Parameter], where: str) -> None:
    folder, _, plugin_id = label.partition("/")
    fill_parameters(read_plugin(root, folder.removesuffix("s"), plugin_id), values, where)
