"""`tonegap doctor`: what this machine can enforce."""

import json
from pathlib import Path

import click

from tonegap.cli.options import suite_root_option
from tonegap.cli.terminal import put, say


@click.command(name="doctor")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@suite_root_option
def command(as_json: bool, suite_root: Path | None) -> None:
    """What stages can rely on here: cores, memory, the sandbox, torch, GPUs."""
    from tonegap.declared.root import find_root
    from tonegap.engines.probe import probe, probe_fields

    root = find_root(suite_root)
    if as_json:
        put(json.dumps(probe_fields(root), indent=1) + "\n")
        return
    findings = probe(root)
    width = max(len(name) for name in findings)
    for name, text in findings.items():
        say(f"{name:<{width}}  {text}")
