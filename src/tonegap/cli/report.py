"""`tonegap report`: leaderboard and comparison of finished runs."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonegap.cli.complete import ran_names
from tonegap.cli.options import PATH, placed
from tonegap.cli.terminal import deliver, say
from tonegap.errors import BadRequest
from tonegap.report.exports import FORMATS

if TYPE_CHECKING:
    from tonegap.results.board import Leaderboard
    from tonegap.store.source import ResultSource


@click.command("report")
@click.argument("runs", nargs=-1, shell_complete=ran_names)
@click.option(
    "--format", "output", type=click.Choice(list(FORMATS)), default="html", show_default=True
)
@click.option(
    "--out",
    type=PATH,
    help="File to write (default: the terminal); html: a folder for all formats "
    "(default: report/ in the store) or one file .html.",
)
@click.option(
    "--entry",
    metavar="LABEL",
    help="Only the page of this entry, as for one that the report has no page of.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 1 if a declared run has no record, or something is wrong with a control or the truth.",
)
@placed
@click.pass_context
def command(  # noqa: PLR0913 (click hands over each option as an argument)
    ctx: click.Context,
    runs: tuple[str, ...],
    output: str,
    out: Path | None,
    entry: str | None,
    strict: bool,
    root: Path,
    store: Path,
) -> None:
    """The leaderboard of RUNS: names of suites that ran in this store (default: all of them), or bundles.

    A bundle (`….tonegap.zip`) needs no store, and --out says where its pages go. It is verified and held against the
    plug-ins of the suite root and the truth of the store, where the task ran there, as `tonegap board` does.

    A report is made from records alone; making it again gives the same bytes. A matrix with runs
    missing says so in its title.
    """
    from tonegap.declared.report_settings import read_settings, titled
    from tonegap.report.phrases import missing
    from tonegap.results.assemble import assemble, without_cycle_search
    from tonegap.results.bundle.unite import bundles_below, unite
    from tonegap.store.read import read_suites
    from tonegap.store.source import ResultSource

    bundles = [Path(name) for name in runs if _is_bundle(name, store)]
    contested: Mapping[str, str] | None = None
    with tempfile.TemporaryDirectory(prefix="tonegap-report-") as aside:
        if bundles:
            if len(bundles) < len(runs) or (out is None and output == "html"):
                raise BadRequest(
                    f"{bundles[0]}: a report of bundles is of bundles alone, and needs --out DIR"
                )
            store, united = unite(bundles_below(bundles), Path(aside), root, store)
            for refused in united.refused:
                raise BadRequest(f"{refused.path}: {refused.why}")
            runs, contested = (), united.contested
        with without_cycle_search():
            suites = read_suites(store, runs)
            settings = titled(read_settings(root), [suite.matrix.title for suite in suites])
            board = assemble(store, suites, settings, contested)
        _write(board, ResultSource(root, store, suites), output, out, entry)
    if strict:
        for kind, alarm in board.stamps:
            say(f"{kind.lower()}: {alarm}", err=True)
        if board.holes:
            say(f"incomplete: {missing(board.holes, board.n_runs)}", err=True)
        if board.holes or board.stamps:
            ctx.exit(1)


def _is_bundle(name: str, store: Path) -> bool:
    """Whether a word names a bundle: by its suffix, or a file that is there where the store has no such suite."""
    from tonegap.store.layout import suite_unit

    path = Path(name)
    return path.suffix.lower() == ".zip" or (
        path.is_file() and not (store / suite_unit(name)).is_file()
    )


def _write(
    board: "Leaderboard", source: "ResultSource", output: str, out: Path | None, entry: str | None
) -> None:
    """Writes the pages, or one document, and says where they are."""
    from tonegap.report.write import check_free, document, write_board, write_entry
    from tonegap.store.layout import REPORT

    folder = out or source.store / REPORT
    if entry is not None:
        if output != "html" or folder.suffix == ".html":
            raise BadRequest(
                "--entry makes a page in a folder: leave out --format, or name a folder with --out"
            )
        for page in write_entry(board, entry, folder, source):
            say(page)
    elif output == "html" and (out is None or out.suffix != ".html"):
        if out is not None:
            check_free(out)
        say(write_board(board, folder, source))
    else:
        if out is None and output == "parquet":
            raise BadRequest("--format parquet: not for a terminal; name a file with --out FILE")
        found = document(board, output)
        deliver(found if output == "parquet" else found.decode(), out)
