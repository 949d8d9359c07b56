"""`tonegap board`: a public leaderboard as a static site, from a folder of bundles."""

import tempfile
from pathlib import Path

import click

from tonegap.cli.options import FOLDER, PATH, placed
from tonegap.cli.terminal import say
from tonegap.lines import counted


@click.command("board")
@click.argument("bundles", nargs=-1, required=True, type=PATH)
@click.option(
    "--out",
    type=FOLDER,
    required=True,
    help="The folder of the site; any static host serves it as it is.",
)
@click.option("--title", help="Of the site (default: that of the report's settings).")
@placed
@click.pass_context
def command(
    ctx: click.Context,
    bundles: tuple[Path, ...],
    out: Path,
    title: str | None,
    store: Path,
    root: Path,
) -> None:
    """The leaderboard of BUNDLES (files, or folders of *.zip) as a static site with the bundles beside it.

    Every number of every bundle is computed again first. One that does not verify, contradicts the plug-ins of the
    suite root, or has another truth than the store (where the task ran there) or than most bundles, is named, is not on
    the site, and makes the exit code 1. Where bundles disagree on a truth without a majority, nothing of that task is
    ranked, and the exit code is 1. The same bundles give the same pages. Entries of two bundles that have one name and
    are not the same work are told by the bundle's file name.
    """
    from tonegap.report.board_site import write_site
    from tonegap.report.write import check_free
    from tonegap.results.bundle.unite import bundles_below, unite

    check_free(out)
    with tempfile.TemporaryDirectory(prefix="tonegap-board-") as aside:
        together, united = unite(bundles_below(bundles), Path(aside), root, store)
        for refused in united.refused:
            say(f"not on the board: {refused.path}: {refused.why}", err=True)
        for why in united.contested.values():
            say(f"not ranked: {why}", err=True)
        if united.taken:
            page = write_site(root, together, united, out, title)
            n_records = sum(bundle.n_records for bundle in united.taken)
            words = f"{counted(len(united.taken), 'bundle')}, {counted(n_records, 'record')}"
            say(f"{words}, {len(united.refused)} not on the board", err=True)
            say(page)
    if united.refused or united.contested:
        ctx.exit(1)
