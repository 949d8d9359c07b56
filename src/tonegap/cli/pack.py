"""`tonegap pack`: the paperwork of a submission, filled in from results."""

from pathlib import Path

import click

from tonegap.cli.complete import suite_names
from tonegap.cli.options import store_option, suite_root_option
from tonegap.cli.terminal import say


@click.command("pack")
@click.argument("what", default="smoke", metavar="SUITE|BUNDLE", shell_complete=suite_names)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write, new or empty (default: SUITE-pack here).",
)
@store_option
@suite_root_option
def command(what: str, out: Path | None, store: Path | None, suite_root: Path | None) -> None:
    """Writes all that a submission asks for of SUITE (that ran in this store) or of a BUNDLE.

    The bundle itself, its report, reporting checklists (TRIPOD+AI, CLAIM, STARD-AI, CLEAR Derm, MICCAI's form) with
    every item filled and linked, left to the author, or not applicable; statistics ready to paste, references, an
    artifact's appendix, deposit metadata. `tonegap verify FOLDER` makes every document again and names what differs.
    """
    from tonegap.declared.root import default_store, find_root
    from tonegap.report.pack.write import write_pack

    root = find_root(suite_root)
    named = what.removesuffix(".zip").removesuffix(".tonegap")
    folder = out or Path(f"{Path(named).name}-pack")
    counts = write_pack(root, store or default_store(root), what, folder)
    say(f"{folder / 'README.md'}: {counts}")
