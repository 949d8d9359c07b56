"""`tonegap list`: what is here."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonegap.cli.options import json_option, rooted
from tonegap.cli.terminal import put_json, say_columns

if TYPE_CHECKING:
    from tonegap.declared.plugin import PluginFile

_KINDS = ["methods", "baselines", "postprocessors", "extractors", "tasks", "suites", "datasets"]
_DETAILED = ("postprocessors", "extractors")


@click.command(name="list")
@click.argument("what", type=click.Choice(_KINDS))
@json_option
@rooted
def command(what: str, as_json: bool, root: Path) -> None:
    """Methods, baselines, post-processors, extractors, tasks, suites or datasets of the suite root, with their titles.

    Of post-processors and extractors also stages, needs and parameters; --json has these of methods and baselines too.
    """
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
        plugins = {name: read_plugin(root, kind, name).file for name in plugin_ids(root, kind)}
        if as_json:
            values = [{"id": name} | _details(file) for name, file in plugins.items()]
            put_json(values, ascii_only=True)
            return
        told = what in _DETAILED
        found = [(name, _said(file) if told else file.title) for name, file in plugins.items()]
    if as_json:
        put_json([{"id": name, "title": title} for name, title in found], ascii_only=True)
    else:
        say_columns(found)


def _details(file: "PluginFile") -> dict[str, object]:
    parameters = {name: spec.default for name, spec in file.parameters.items()}
    return {
        "title": file.title,
        "paper": file.paper,
        "stages": file.stages,
        "needs": file.needs,
        "parameters": parameters,
    }


def _said(file: "PluginFile") -> str:
    """Its title with what else decides whether it can be used."""
    lists = (("stages", file.stages), ("needs", file.needs), ("parameters", file.parameters))
    return "; ".join([file.title, *(f"{name}: {', '.join(of)}" for name, of in lists if of)])
