"""`tonegap check`: every problem of the suite root at once."""

import sys
from pathlib import Path

import click

from tonegap.cli.options import rooted
from tonegap.cli.terminal import say
from tonegap.lines import counted


@click.command(name="check")
@rooted
def command(root: Path) -> None:
    """Every problem of data sets, tasks, plug-ins, Dockerfiles and suites; exit code 2 if there is one."""
    from tonegap.checks.declared import check_declared

    problems = check_declared(root)
    for problem in problems:
        say(f"{problem.where}: {problem.text}")
    say(counted(len(problems), "problem") if problems else "no problems", err=True)
    if problems:
        sys.exit(2)
