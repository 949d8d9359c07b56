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
    from tonegap.declared.listing import titles

    found = titles(root, what)
    if as_json:
        put_json([{"id": name, "title": title} for name, title in found], ascii_only=True)
    else:
        say_columns(found)
