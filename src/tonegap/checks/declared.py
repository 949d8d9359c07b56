"""Every problem of a suite root at once, so that nobody mends a file ten times in a row."""

import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tonegap.checks.readiness import check_tasks
from tonegap.data.drawn import drawn_metadata
from tonegap.data.metadata import own_root, read_metadata
from tonegap.declared.dataset import dataset_ids, read_dataset
from tonegap.declared.plugin import (
    FOLDERS,
    fill_parameters,
    missing_program,
    plugin_ids,
    read_plugin,
)
from tonegap.declared.suite import Suite, read_suite, suite_ids
from tonegap.declared.task import read_task, task_ids
from tonegap.errors import BadRoom, ToneGapError
from tonegap.formats.job import Parameter
from tonegap.lines import did_you_mean
from tonegap.texts import read_text

_FROM = re.compile(r"^\s*FROM\s+(?:--\S+\s+)*(\S+)", re.MULTILINE | re.IGNORECASE)
_PIP = re.compile(r"\bpip3?\s+install\b(?!.*--require-hashes)", re.IGNORECASE)
_CLONE = re.compile(r"\bgit\s+clone\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, order=True)
class RoomProblem:
    """What is wrong, and where: a path below the suite root."""

    where: str
    text: str


def check_rooms(root: Path) -> list[RoomProblem]:
    """All problems of data sets, tasks, plug-ins, Dockerfiles and suites, sorted by place."""
    found: list[RoomProblem] = []
    found += _readable(root, dataset_ids(root), functools.partial(read_dataset, root))
    found += _readable(root, task_ids(root), functools.partial(read_task, root))
    for name in task_ids(root):
        found += _task(root, name)
    for kind in FOLDERS:
        names = plugin_ids(root, kind)
        found += _readable(root, names, functools.partial(read_plugin, root, kind))
        found += _stray(root, kind)
        for name in names:
            found += _dockerfile(root, kind, name)
            found += _command(root, kind, name)
    for name in suite_ids(root):
        found += _suite(root, name)
    for name in dataset_ids(root):
        found += _unscorable(root, name)
    return sorted(set(found))


def _readable(root: Path, names: list[str], read: Callable[[str], object]) -> list[RoomProblem]:
    found = []
    for name in names:
        try:
            read(name)
        except ToneGapError as e:
            found.append(_problem(root, str(e)))
    return found


def _problem(root: Path, message: str) -> RoomProblem:
    """An error's sentence as a problem; errors begin with the path of their file."""
    where, _, text = message.partition(": ")
    path = Path(where)
    if path.is_absolute() and path.is_relative_to(root):
        where = path.relative_to(root).as_posix()
    return RoomProblem(where, text)


def _unscorable(root: Path, name: str) -> Iterator[RoomProblem]:
    """Tasks that could not be scored, of data sets whose rows are at hand: drawn here, or beside their declaration."""
    try:
        dataset = read_dataset(root, name)
        tasks = [read_task(root, t) for t in task_ids(root) if t.startswith(f"{name}/")]
        own = own_root(dataset)
        if own is None and dataset.file.drawn is None:
            return
        metadata = read_metadata(dataset, own) if own else drawn_metadata(dataset)
    except ToneGapError:
        return  # said above, or by `data check`
    for task, answer in zip(tasks, check_tasks(tasks, metadata, metadata.ids), strict=True):
        if answer.reason:
            where = task.path.relative_to(root).as_posix()
            yield RoomProblem(where, answer.reason.removeprefix(f"{task.id}: "))


def _stray(root: Path, kind: str) -> Iterator[RoomProblem]:
    """Folders that look like a plug-in but lack its file."""
    for folder in sorted((root / FOLDERS[kind]).glob("*/")):
        if not (folder / f"{kind}.toml").exists() and any(folder.iterdir()):
            where = folder.relative_to(root).as_posix()
            yield RoomProblem(where, f"no {kind}.toml; every folder here is a {kind}")


def _task(root: Path, task_id: str) -> Iterator[RoomProblem]:
    """Columns and the tone axis that a task names and its data set does not declare."""
    try:
        task = read_task(root, task_id)
        dataset = read_dataset(root, task.dataset_id).file
    except ToneGapError:
        return  # which is a problem of its own
    where, file = task.path.relative_to(root).as_posix(), task.file
    if task.tone_axis not in dataset.tones:
        known = ", ".join(dataset.tones) or "none"
        yield RoomProblem(
            where,
            f"tones.axis: {task.tone_axis!r} is no tone axis of the data set; there are: {known}",
        )
    named = {"labels.column": (file.labels.column,)}
    if file.labels.positive_where:
        named["labels.positive_where.column"] = (file.labels.positive_where.column,)
    for part, rule in (("split", file.split), ("validation", file.validation)):
        for field in ("column", "columns", "stratify"):
            value = getattr(rule, field, ())
            named[f"{part}.{field}"] = (
                (value,) if isinstance(value, str) and value else tuple(value)
            )
    for key, columns in named.items():
        for column in columns:
            if column not in dataset.columns:
                near, known = did_you_mean(column, dataset.columns), ", ".join(dataset.columns)
                yield RoomProblem(
                    where,
                    f"{key}: {column!r} is no column of the data set{near}; there are: {known}",
                )


def _command(root: Path, kind: str, name: str) -> Iterator[RoomProblem]:
    """A command that is neither on this machine nor in the plug-in's folder and has no image to be in."""
    try:
        plugin = read_plugin(root, kind, name)
    except ToneGapError:
        return
    missing = missing_program(plugin)
    if missing:
        yield RoomProblem(
            f"{plugin.label}/{kind}.toml",
            f"command: {missing!r} is no program on this machine's PATH",
        )


def _dockerfile(root: Path, kind: str, name: str) -> Iterator[RoomProblem]:
    """What makes an image that another day builds otherwise."""
    path = root / FOLDERS[kind] / name / "Dockerfile"
    where = path.relative_to(root).as_posix()
    if not path.exists():
        return
    try:
        text = read_text(path, BadRoom).replace("\\\n", " ")
    except BadRoom as e:
        yield RoomProblem(where, str(e))
        return
    for base in _FROM.findall(text):
        if "@sha256:" not in base and base != "${BASE_IMAGE}":
            yield RoomProblem(where, f"FROM {base}: wanted a digest (@sha256:…) or ${{BASE_IMAGE}}")
    if _PIP.search(text):
        yield RoomProblem(where, "pip install without --require-hashes")
    if _CLONE.search(text):
        yield RoomProblem(where, "git clone: copy pinned files into the folder instead")


def _suite(root: Path, name: str) -> list[RoomProblem]:
    """A suite's problems: its file, and every task, plug-in and parameter that it names."""
    try:
        suite = read_suite(root, name)
    except ToneGapError as e:
        return [_problem(root, str(e))]
    found = []
    for check in _suite_checks(root, suite):
        try:
            check()
        except ToneGapError as e:
            where = suite.path.relative_to(root).as_posix()
            found.append(RoomProblem(where, str(e).removeprefix(f"{suite.path}: ")))
    return found


def _suite_checks(root: Path, suite: Suite) -> Iterator[Callable[[], object]]:
    where = str(suite.path)
    for task_id in suite.file.tasks:
        yield functools.partial(read_task, root, task_id)
    for row in suite.file.entries:
        for plugin_id in row.methods:
            yield functools.partial(
                _fill, root, f"methods/{plugin_id}", row.method_parameters, where
            )
        for plugin_id in row.baselines:
            yield functools.partial(
                _fill, root, f"baselines/{plugin_id}", row.baseline_parameters, where
            )
    if suite.file.quality:
        quality = suite.file.quality
        label = f"{FOLDERS['extractor']}/{quality.extractor}"
        yield functools.partial(_fill, root, label, quality.parameters, where)
    for label, values in suite.file.parameters.items():
        if "/" in label:
            yield functools.partial(_fill, root, label, values, where)


def _fill(root: Path, label: str, values: dict[str, Parameter], where: str) -> None:
    folder, _, plugin_id = label.partition("/")
    fill_parameters(read_plugin(root, folder.removesuffix("s"), plugin_id), values, where)
