"""`tonegap init`: a suite root of one's own."""

from pathlib import Path
from shlex import quote

import click

from tonegap.cli.options import FOLDER
from tonegap.cli.terminal import say


@click.command("init")
@click.argument("folder", type=FOLDER)
@click.option(
    "--suite-root", type=FOLDER, help="Take what is in this suite root, not what tonegap ships."
)
def command(folder: Path, suite_root: Path | None) -> None:
    """Make a suite root in FOLDER: all that tonegap ships, with templates of a data set, a task, a suite and a method.

    Prints the files that are there to be changed. Needs no clone of tonegap.
    """
    from tonegap.declared.root import find_root, shipped_root
    from tonegap.declared.templates import new_root

    source = find_root(suite_root) if suite_root else shipped_root()
    for path in new_root(source, folder):
        say(folder / path)
    say(f"its README.md says what is next: cd {quote(str(folder))} && tonegap check", err=True)
