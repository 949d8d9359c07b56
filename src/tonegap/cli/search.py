"""`tonegap search`: hyper-parameters under an equal budget for every baseline, chosen on validation images."""

import sys
from dataclasses import replace
from pathlib import Path

import click

from tonegap.cli import terminal
from tonegap.cli.complete import suite_names
from tonegap.cli.options import FILE
from tonegap.cli.requests import RunOptions, open_request, run_options
from tonegap.run.search.choose import RULES


@click.command(name="search")
@click.argument("suite", default="smoke", shell_complete=suite_names)
@run_options
@click.option(
    "--draws", type=click.IntRange(2), default=8, show_default=True, help="For every baseline."
)
@click.option("--rule", type=click.Choice(RULES), default="overall", show_default=True)
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draws.")
@click.option("--out", type=FILE, metavar="FILE.toml", help="Writes SUITE with the chosen values.")
def command(
    suite: str, options: RunOptions, draws: int, rule: str, seed: int, out: Path | None
) -> None:
    """Random search of the hyper-parameters of SUITE's baselines, in spaces that they declare.

    Each baseline gets the same number of draws, without post-processors; draw 0 is what the suite says. Choice is by
    validation images alone: the selection metric (overall), the worst tone's accuracy (worst), or the least
    distance to the best of both (trade-off). The same command again does exactly what is missing.
    """
    from tonegap.cli.run import work
    from tonegap.declared.suite import plugins_of
    from tonegap.declared.suite_toml import suite_toml
    from tonegap.plan.prepare import prepare
    from tonegap.run.search.draws import draws_suite, searched, tuned_suite
    from tonegap.run.search.outcome import outcome

    request = open_request(suite, options)
    plugins = {plugin.label: plugin for plugin in plugins_of(request.suite)}
    search = searched(request.suite, plugins, draws, seed)
    plan = prepare(replace(request, suite=draws_suite(request.suite, search, plugins)))
    if any(row.postprocessors for row in request.suite.file.entries):
        terminal.say(
            "post-processors are left out of the search, and are in the suite of --out", err=True
        )
    tally = work(request, plan, options)
    found = outcome(request.store, plan, search, rule)
    for line in (line for one in found for line in one.lines()):
        terminal.say(line)
    if out:
        said = f"Chosen by `tonegap search {suite} --draws {draws} --rule {rule} --seed {seed}`."
        tuned = tuned_suite(request.suite, {one.baseline: one.values for one in found})
        text = "\n".join([said, *(line for one in found for line in one.lines())])
        out.write_text(suite_toml(tuned.file, text), encoding="utf-8")
        terminal.say(out)
    if tally.failures:
        sys.exit(1)
