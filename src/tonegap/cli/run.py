"""`tonegap run`: the main job."""

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from tonegap.cli import terminal
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
    terminal.say(_report(request, plan))
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
    with _cancelled_by_signal(place.cancelled):
        return run_plan(plan, place)


@contextlib.contextmanager
def _cancelled_by_signal(cancelled: threading.Event) -> Iterator[None]:
    """The first Ctrl-C or TERM ends the stages in good order; what is finished stays."""

    def cancel(_number: int, _frame: object) -> None:
        cancelled.set()

    before = {number: signal.signal(number, cancel) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(tally: "Tally") -> None:
    """Says on standard error how a run ended, with the first failures."""
    words = [
        f"{tally.n_stages} stages run",
        f"{tally.n_finished} cells finished",
        f"{tally.n_cached} cached",
        f"{len(tally.failures)} failed",
    ]
    terminal.say(", ".join(words), err=True)
    for failure in tally.failures[:20]:
        terminal.say(
            f"failed ({failure.cause}): {failure.plugin} {failure.stage}: {failure.text}", err=True
        )


def _report(request: "Request", plan: "Plan") -> str:
    """Writes the suite's report and returns its path."""
    from tonegap.site.publish import publish_suite

    return str(publish_suite(request.root, request.store.folder, plan.matrix))
