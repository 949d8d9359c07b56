"""`tonegap new`: a plug-in that already passes the contract."""

from pathlib import Path

import click

from tonegap.cli.options import rooted
from tonegap.cli.terminal import say


@click.command(name="new")
@click.argument("kind", type=click.Choice(["method", "baseline"]))
@click.argument("name")
@rooted
def command(kind: str, name: str, root: Path) -> None:
    """Make the folder of a new method or baseline that already runs; then change its code."""
    from tonegap.declared.root import check_own
    from tonegap.declared.templates import new_plugin

    check_own(root, f"new {kind}")
    folder = new_plugin(root, kind, name)
    say(f"try it beside the smoke suite: tonegap run --{kind} {name}", err=True)
    say(str(folder))
