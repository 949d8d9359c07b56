"""`tonegap run`: the main job."""

import sys
from typing import TYPE_CHECKING

import click

from tonegap.cli.interrupt import patient
from tonegap.cli.requests import RunOptions, open_request, parse_gpus, run_options

if TYPE_CHECKING:
    from tonegap.run.plan import Plan
    from tonegap.run.prepare import Request
    from tonegap.run.runner import Tally


@click.command(name="run")
@click.argument("suite", default="smoke")
@run_options
def command(suite: str, options: RunOptions) -> None:
    """Run SUITE and report; without SUITE the embedded smoke suite, which needs no data.

    The same command again does exactly what is missing. The last line names the report.

    \b
    tonegap run
    tonegap run skin-diff --root ~/fitzpatrick17k
    """  # noqa: D301
    from tonegap.report.settings import read_settings
    from tonegap.run.prepare import prepare

    request = open_request(suite, options)
    read_settings(request.root)  # what the last step needs should not be missed after hours
    plan = prepare(request)
    request.store.write_matrix(plan.matrix)
    tally = work(request, plan, options)
    say(tally)
    click.echo(_report(request, plan))
    if tally.failures:
        sys.exit(1)


def work(request: "Request", plan: "Plan", options: RunOptions) -> "Tally":
    """How the stages and cells of a plan ended; what is finished stays."""
    from tonegap.run.progress import open_progress
    from tonegap.run.runner import run_plan
    from tonegap.run.stages import Workplace

    place = Workplace(
        store=request.store,
        engine=request.engine,
        limits=request.suite.file.limits,
        jobs=request.jobs,
        gpus=parse_gpus(options),
        progress=open_progress(),
    )
    with patient(request.engine.ending_s):
        return run_plan(plan, place)


def say(tally: "Tally") -> None:
    """Says on standard error how a run ended, with the first failures."""
    words = [
        f"{tally.n_stages} stages run",
        f"{tally.n_finished} cells finished",
        f"{tally.n_cached} cached",
        f"{len(tally.failures)} failed",
    ]
    click.echo(", ".join(words), err=True)
    for failure in tally.failures[:20]:
        click.echo(
            f"failed ({failure.cause}): {failure.plugin} {failure.stage}: {failure.text}", err=True
        )


def _report(request: "Request", plan: "Plan") -> str:
    """Writes the suite's report and returns its path."""
    from tonegap.site.publish import publish_suite

    return str(publish_suite(request.root, request.store.folder, plan.matrix))
