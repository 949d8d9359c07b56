"""`tonegap plan`: what a run would do, without doing it."""

import tempfile
from pathlib import Path

import click

from tonegap.cli.complete import suite_names
from tonegap.cli.options import json_option
from tonegap.cli.requests import RunOptions, open_request, run_options
from tonegap.cli.terminal import put_json, say, say_page
from tonegap.store.layout import DRAWN


@click.command(name="plan")
@click.argument("suite", default="smoke", shell_complete=suite_names)
@run_options
@json_option
def command(suite: str, options: RunOptions, as_json: bool) -> None:
    """What `tonegap run SUITE` would do: stages to run, what is cached, and why each miss is one.

    Makes no store, and one that cannot be written will do. Images drawn into a store that is there stay for the run.
    """
    from tonegap.declared.rates import read_rates
    from tonegap.plan.prepare import prepare
    from tonegap.run.explain import explain

    with tempfile.TemporaryDirectory(prefix="tonegap-plan-") as cache:
        request = open_request(suite, options, Path(cache))
        drawn = request.store.folder / DRAWN
        before = set(drawn.glob("[!.]*"))
        explained = explain(
            prepare(request), request.store, read_rates(request.root), options.gpus_per_stage
        )
        for left in sorted(set(drawn.glob("[!.]*")) - before):
            say(f"drawn, and left for the run: {left}", err=True)
    if as_json:
        put_json(explained.as_json(), ascii_only=True)
        return
    for line in explained.lines():
        say_page(line)
