"""`tonegap bundle`: the results of a suite as one archive that anybody can check."""

from pathlib import Path

import click

from tonegap.cli.complete import ran_names
from tonegap.cli.options import FILE, placed
from tonegap.cli.terminal import say


@click.command("bundle")
@click.argument("suite", default="smoke", shell_complete=ran_names)
@click.option("--out", type=FILE, help="The archive to write (default: SUITE.tonegap.zip here).")
@click.option(
    "--allow-incomplete",
    is_flag=True,
    help="Bundle a suite of which records are missing; `tonegap verify` says how many.",
)
@placed
def command(
    suite: str,
    out: Path | None,
    allow_incomplete: bool,
    store: Path,
    root: Path,
) -> None:
    """Writes the results of SUITE as one archive: records, predictions, truth, lineages, specs.

    It is an RO-Crate: ro-crate-metadata.json describes each file and the run. It holds ids and labels of
    validation and test images, and no image. `tonegap verify` computes every number in it again. Check
    the data set's licence before you pass its labels on.
    """
    from tonegap.results.bundle.pack import pack_suite

    path = out or Path(f"{suite}.tonegap.zip")
    manifest = pack_suite(root, store, suite, path, allow_incomplete=allow_incomplete)
    say(f"{path}: {len(manifest.files)} files")
