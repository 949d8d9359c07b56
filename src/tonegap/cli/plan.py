"""`tonegap plan`: what a run would do, without doing it."""

import tempfile
from pathlib import Path

import click

from tonegap.cli.complete import suite_names
from tonegap.cli.options import json_option
from tonegap.cli.requests import RunOptions, open_request, run_options
from tonegap.cli.terminal import put_json, say_page


@click.command(name="plan")
@click.argument("suite", default="smoke", shell_complete=suite_names)
@run_options
@json_option
def command(suite: str, options: RunOptions, as_json: bool) -> None:
    """What `tonegap run SUITE` would do: stages to run, what is cached, and why each miss is one.

    A store that cannot be written will do.
    """
    from tonegap.declared.rates import read_rates
    from tonegap.plan.prepare import prepare
    from tonegap.run.explain import explain

    with tempfile.TemporaryDirectory(prefix="tonegap-plan-") as cache:
        request = open_request(suite, options, Path(cache))
        explained = explain(prepare(request), request.store, read_rates(request.root))
    if as_json:
        put_json(explained.as_json(), ascii_only=True)
        return
    for line in explained.lines():
        say_page(line)
