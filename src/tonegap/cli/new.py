"""`tonegap new`: a plug-in that already passes the contract."""

from pathlib import Path

import click

from tonegap.cli.options import rooted
from tonegap.cli.terminal import say

_TRY = {
    "extractor": 'try it in a suite: baselines = ["linear-probe"] and backbones = ["{name}"] of a row of entries, or '
    '[quality] extractor = "{name}"',
}
_BESIDE = "try it beside the smoke suite: tonegap run --{kind} {name}"


@click.command(name="new")
@click.argument("kind", type=click.Choice(["method", "baseline", "postprocessor", "extractor"]))
@click.argument("name")
@rooted
def command(kind: str, name: str, root: Path) -> None:
    """Make the folder of a new method, baseline, post-processor or extractor that already runs; then change it."""
    from tonegap.declared.root import check_own
    from tonegap.declared.templates import new_plugin

    check_own(root, f"new {kind}")
    folder = new_plugin(root, kind, name)
    say(_TRY.get(kind, _BESIDE).format(kind=kind, name=name), err=True)
    say(str(folder))
