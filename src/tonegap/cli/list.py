"""`tonegap list`: what is here."""

from pathlib import Path

import click

from tonegap.cli.options import json_option, rooted
from tonegap.cli.terminal import put_json, say_columns


@click.command(name="list")
@click.argument(
    "what",
    type=click.Choice(["methods", "baselines", "postprocessors", "tasks", "suites", "datasets"]),
)
@json_option
@rooted
def command(what: str, as_json: bool, root: Path) -> None:
    """Methods, baselines, post-processors, tasks, suites or datasets of the suite root, with their titles."""
    from tonegap.declared.dataset import dataset_ids, read_dataset
    from tonegap.declared.plugin import plugin_ids, read_plugin
    from tonegap.declared.suite import read_suite, suite_ids
    from tonegap.declared.task import read_task, task_ids

    if what == "tasks":
        found = [(name, read_task(root, name).file.title) for name in task_ids(root)]
    elif what == "suites":
        found = [(name, read_suite(root, name).file.title) for name in suite_ids(root)]
    elif what == "datasets":
        found = [(name, read_dataset(root, name).file.title) for name in dataset_ids(root)]
    else:
        kind = what.removesuffix("s")
        found = [(n, read_plugin(root, kind, n).file.title) for n in plugin_ids(root, kind)]
    if as_json:
        put_json([{"id": name, "title": title} for name, title in found], ascii_only=True)
    else:
        say_columns(found)
