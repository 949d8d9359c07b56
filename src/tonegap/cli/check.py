"""`tonegap check`: every problem of the suite root at once."""

import sys
from pathlib import Path

import click

from tonegap.cli.options import suite_root_option
from tonegap.cli.terminal import say
from tonegap.lines import counted


@click.command(name="check")
@suite_root_option
def command(suite_root: Path | None) -> None:
    """Every problem of data sets, tasks, plug-ins, Dockerfiles and suites; exit code 2 if there is one."""
    from tonegap.checks.declared import check_declared
    from tonegap.declared.root import find_root

    problems = check_declared(find_root(suite_root))
    for problem in problems:
        say(f"{problem.where}: {problem.text}")
    say(counted(len(problems), "problem") if problems else "no problems", err=True)
    if problems:
        sys.exit(2)
