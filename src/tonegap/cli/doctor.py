"""`tonegap doctor`: what this machine can enforce."""

from pathlib import Path

import click

from tonegap.cli.options import json_option, rooted
from tonegap.cli.terminal import put_json, say_columns


@click.command(name="doctor")
@json_option
@rooted
def command(as_json: bool, root: Path) -> None:
    """What stages can rely on here: cores, memory, the sandbox, torch, GPUs."""
    from tonegap.engines.probe import probe, probe_fields

    if as_json:
        put_json(probe_fields(root), ascii_only=True)
    else:
        say_columns([*probe(root).items()])
