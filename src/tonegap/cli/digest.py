"""`tonegap digest`: the value of a parameter that is a local file or folder."""

from pathlib import Path

import click

from tonegap.cli.options import A_PATH
from tonegap.cli.terminal import say


@click.command("digest")
@click.argument("path", type=A_PATH)
def command(path: Path) -> None:
    """Print PATH#sha256=HEX, as a parameter of a suite that is a local file or folder wants it.

    A folder's digest covers the relative paths and contents of its files; caches are left out.
    """
    from tonegap.declared.local_files import local_digest, spelled

    say(spelled(path, local_digest(path)))
