"""`tonegap track`: finished records as runs of an experiment tracker."""

from pathlib import Path

import click

from tonegap.cli.complete import suite_names
from tonegap.cli.options import placed
from tonegap.cli.terminal import say


@click.command("track")
@click.argument("runs", nargs=-1, shell_complete=suite_names)
@click.option(
    "--uri",
    required=True,
    help="MLflow tracking URI: http://HOST:PORT, sqlite:///FILE or file:DIR.",
)
@placed
def command(runs: tuple[str, ...], uri: str, store: Path, root: Path) -> None:
    """The records of RUNS in MLflow: names of suites that ran in this store (default: all of them).

    A suite is the experiment tonegap/SUITE, a record one run of it: parameters, the leaderboard's
    metrics, digests as tags. An undefined score is a tag with its reason, never a number. The same command
    again adds what is new. Needs `pip install 'mlflow-skinny>=3'`.
    """
    from tonegap.declared.report_settings import read_settings
    from tonegap.report.exports.mlflow_runs import log_runs
    from tonegap.report.exports.tracked_runs import tracked_runs
    from tonegap.store.read import read_suites

    settings = read_settings(root)
    for suite in read_suites(store, runs):
        name = f"tonegap/{suite.matrix.suite}"
        logged = log_runs(uri, name, tracked_runs(suite, settings.metrics, settings.selection))
        say(f"{name}: {logged.n_new} runs logged, {logged.n_known} were there")
