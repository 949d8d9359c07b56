"""`tonegap pack`: the paperwork of a submission, filled in from results."""

from pathlib import Path

import click

from tonegap.cli.complete import ran_names
from tonegap.cli.options import placed
from tonegap.cli.terminal import say


@click.command("pack")
@click.argument("what", default="smoke", metavar="SUITE|BUNDLE", shell_complete=ran_names)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder to write, new or empty (default: SUITE-pack here).",
)
@placed
def command(what: str, out: Path | None, store: Path, root: Path) -> None:
    """Writes all that a submission asks for of SUITE (that ran in this store) or of a BUNDLE.

    The bundle itself, its report, reporting checklists (TRIPOD+AI, CLAIM, STARD-AI, CLEAR Derm, MICCAI's form) with
    every item filled and linked, left to the author, or not applicable; statistics ready to paste, references, an
    artifact's appendix, deposit metadata. `tonegap verify FOLDER` makes every document again and names what differs.
    """
    from tonegap.report.pack.write import write_pack

    named = what.removesuffix(".zip").removesuffix(".tonegap")
    folder = out or Path(f"{Path(named).name}-pack")
    counts = write_pack(root, store, what, folder)
    say(f"{folder / 'README.md'}: {counts}")
