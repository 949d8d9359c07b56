"""`tonegap list`: what is here."""

import json
from pathlib import Path

import click

from tonegap.cli.options import suite_root_option
from tonegap.cli.terminal import put, say


@click.command(name="list")
@click.argument("what", type=click.Choice(["methods", "baselines", "tasks", "suites", "datasets"]))
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@suite_root_option
def command(what: str, as_json: bool, suite_root: Path | None) -> None:
    """Methods, baselines, tasks, suites or datasets of the suite root, with their titles."""
    from tonegap.declared.listing import titles
    from tonegap.declared.root import find_root

    found = titles(find_root(suite_root), what)
    if as_json:
        put(json.dumps([{"id": name, "title": title} for name, title in found], indent=1) + "\n")
        return
    width = max((len(name) for name, _title in found), default=0)
    for name, title in found:
        say(f"{name:<{width}}  {title}")
