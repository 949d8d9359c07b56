"""`tonegap export`: a suite as a workflow of another system."""

from pathlib import Path

import click

from tonegap.cli.complete import suite_names
from tonegap.cli.options import WholeHelp
from tonegap.cli.requests import RunOptions, open_request, run_options, spelled
from tonegap.cli.terminal import say
from tonegap.errors import BadRequest, file_errors


@click.group(name="export", cls=WholeHelp)
def command() -> None:
    """A suite as a workflow that another system runs."""


@command.command(name="snakemake")
@click.argument("suite", default="smoke", shell_complete=suite_names)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("Snakefile"),
    show_default=True,
    help="The file to write.",
)
@run_options
def snakemake(suite: str, out: Path, options: RunOptions) -> None:
    """Write SUITE as a Snakemake workflow: one rule for each stage, then scores and report.

    Snakemake's executors run it on Kubernetes, LSF, Slurm or a cloud: https://snakemake.github.io. Takes the options
    of `tonegap run`, and needs the data: keys of stages are those of the images that are there.
    """
    from tonegap.plan.prepare import prepare
    from tonegap.report.write import write_text
    from tonegap.run.workflow import snakefile

    if options.place != "here":
        raise BadRequest(
            "--place: a workflow says nothing of it; Snakemake's executors decide where stages run"
        )
    _check_out(out)
    request = open_request(suite, options)
    plan = prepare(request)
    words = [suite, *spelled(options, request.root, request.store.folder)]
    limits = request.suite.file.limits
    text = snakefile(plan, words, limits, request.store.folder, options.gpus_per_stage)
    write_text(out, text, "--out")
    say(f"{out}: run it with snakemake --snakefile {out} --cores N", err=True)


def _check_out(out: Path) -> None:
    """Raises BadRequest for a folder that is not there, and for a file that this command has not written."""
    from tonegap.run.workflow import WRITTEN

    if not out.absolute().parent.is_dir():
        raise BadRequest(f"--out {out}: {out.parent} is no folder")
    if out.exists():
        with file_errors(BadRequest, f"--out {out}: cannot be read"), out.open("rb") as f:
            own = f.read(len(WRITTEN)) == WRITTEN
        if not own:
            raise BadRequest(
                f"--out {out}: found a file that this command has not written; choose another name"
            )
