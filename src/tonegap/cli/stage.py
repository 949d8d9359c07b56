"""`tonegap stage`: single stages, for those who run them: nodes of a cluster, workflows."""

import os
import sys
from pathlib import Path

import click

from tonegap.cli import terminal
from tonegap.cli.interrupt import patient
from tonegap.cli.options import store_option, suite_root_option
from tonegap.cli.requests import RunOptions, open_request, run_options
from tonegap.errors import BadRequest
from tonegap.lines import counted

_ENDING_S = 20.0  # below what Slurm gives a job between TERM and KILL


@click.group(name="stage")
def command() -> None:
    """Single stages, as jobs of a cluster and workflows run them."""


@command.command(name="run")
@click.argument("jobs", nargs=-1, type=click.Path(path_type=Path))
@click.option(
    "--array",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Run the stages of this Slurm task, of what was submitted together.",
)
def run(jobs: tuple[Path, ...], array: Path | None) -> None:
    """Run the stages of files that a run laid out; each leaves beside its file how it ended."""
    from tonegap.engines.job import run_jobs, task_of

    with patient(_ENDING_S):
        run_jobs(task_of(array, os.environ.get("SLURM_ARRAY_TASK_ID", "")) if array else jobs)


@command.command(name="make")
@click.argument("suite")
@click.argument("key")
@run_options
def make(suite: str, key: str, options: RunOptions) -> None:
    """Run the stage of that key of SUITE, unless it is in the store; those before it have to be there."""
    from tonegap.cli.run import workplace
    from tonegap.plan.prepare import prepare
    from tonegap.run.runner import make_stage

    request = open_request(suite, options)
    plan = prepare(request)
    if key not in plan.stages:
        raise BadRequest(
            f"{suite}: found key {key}, wanted that of a stage; export the suite again"
        )
    with patient(request.engine.ending_s):
        failed = make_stage(plan, key, workplace(request, options))
    if failed:
        terminal.say(f"failed ({failed.cause}): {failed.text}", err=True)
        sys.exit(1)


@command.command(name="cancel")
@suite_root_option
@store_option
def cancel(suite_root: Path | None, store: Path | None) -> None:
    """End every Slurm job of a store; what is finished is kept."""
    from tonegap.declared.root import default_store, find_root
    from tonegap.engines.slurm import Slurm, read_site
    from tonegap.run.cluster import cancel_jobs
    from tonegap.store.layout import MARKER

    folder = store or default_store(find_root(suite_root))
    if not (folder / MARKER).is_file():
        raise BadRequest(f"{folder}: found no store there; pass --store DIR, as of the run")
    n = cancel_jobs(folder, Slurm(read_site()))
    terminal.say(f"{counted(n, 'job')} ended", err=True)
