"""`tonegap repeat`: how far an entry's scores spread from run to run."""

import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from tonegap.cli import terminal
from tonegap.cli.complete import entry_names, suite_names
from tonegap.cli.requests import RunOptions, open_request, run_options
from tonegap.errors import BadRequest

if TYPE_CHECKING:
    from tonegap.plan.plan import Plan


@click.command(name="repeat")
@click.argument("entry", shell_complete=entry_names)
@click.argument("suite", default="smoke", shell_complete=suite_names)
@click.option(
    "-n", "n_runs", type=click.IntRange(2), default=3, show_default=True, help="Runs of each seed."
)
@run_options
def command(entry: str, suite: str, n_runs: int, options: RunOptions) -> None:
    """Run all stages of ENTRY of SUITE anew, N times with the same seeds, and say how far its scores spread.

    ENTRY is its label in the report. On a GPU equal work gives unequal bytes; a difference between entries
    has to be held against that. The report shows it beside the spread over seeds. The same command again
    does what is missing.

    \b
    tonegap repeat "none + erm (cnn4)" -n 3
    """  # noqa: D301
    from tonegap.cli.run import work
    from tonegap.plan.prepare import prepare
    from tonegap.report.phrases import spread_words
    from tonegap.run.golden import records_of
    from tonegap.scores.repeats import repeats_of
    from tonegap.store.repeats import write_repeats

    request = open_request(suite, options)
    own = _of_entry(prepare(request), entry)
    plans = [_of_entry(prepare(replace(request, repeat=k + 1)), entry) for k in range(n_runs)]
    for plan in plans:
        if work(request, plan, options).failures:
            sys.exit(1)
    found = [records_of(plan, request.store) for plan in plans]
    for run, records in zip(own.runs, zip(*found, strict=True), strict=True):
        repeats = repeats_of(run.id.key, records)
        with request.store.writing():
            write_repeats(request.store.folder, repeats)
        terminal.say(f"{entry} on {run.id.task}, seed {run.id.seed}:")
        for name in repeats.scores:
            terminal.say(f"  {name}: {spread_words(repeats, name)}")


def _of_entry(plan: "Plan", label: str) -> "Plan":
    """The plan's runs of one entry alone. Raises BadRequest for an entry that it has not, or cannot run."""
    runs = tuple(run for run in plan.runs if run.id.entry.label == label)
    if not runs:
        known = ", ".join(dict.fromkeys(repr(run.id.entry.label) for run in plan.runs))
        raise BadRequest(f"no entry {label!r} in the suite {plan.matrix.suite}; there are: {known}")
    for run in runs:
        if run.id.not_applicable:
            raise BadRequest(f"{label} on {run.id.task}: {run.id.not_applicable}")
    return replace(plan, runs=runs, sheets=())
