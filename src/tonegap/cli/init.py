"""`tonegap init`: a suite root of one's own."""

from pathlib import Path
from shlex import quote

import click

from tonegap.cli.options import FOLDER, rooted
from tonegap.cli.terminal import say


@click.command("init")
@click.argument("folder", type=FOLDER)
@rooted
def command(folder: Path, root: Path) -> None:
    """Make a suite root in FOLDER: all that tonegap ships, with templates of a data set, a task, a suite and a method.

    Prints the files that are there to be changed. Needs no clone of tonegap.
    """
    from tonegap.declared.templates import new_root

    for path in new_root(root, folder):
        say(folder / path)
    say(f"its README.md says what is next: cd {quote(str(folder))} && tonegap check", err=True)
