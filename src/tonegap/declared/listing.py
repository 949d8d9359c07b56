"""Ids and titles of what a suite root holds, by kind."""

from pathlib import Path

from tonegap.declared.dataset import dataset_ids, read_dataset
from tonegap.declared.plugin import plugin_ids, read_plugin
from tonegap.declared.suite import read_suite, suite_ids
from tonegap.declared.task import read_task, task_ids


def titles(root: Path, kind: str) -> list[tuple[str, str]]:
    """(id, title) of every `methods`, `baselines`, `postprocessors`, `tasks`, `suites` or `datasets`, by id."""
    if kind == "tasks":
        return [(name, read_task(root, name).file.title) for name in task_ids(root)]
    if kind == "suites":
        return [(name, read_suite(root, name).file.title) for name in suite_ids(root)]
    if kind == "datasets":
        return [(name, read_dataset(root, name).file.title) for name in dataset_ids(root)]
    one = kind.removesuffix("s")
    return [(name, read_plugin(root, one, name).file.title) for name in plugin_ids(root, one)]
