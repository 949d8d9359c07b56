"""`tonegap report`: leaderboard and comparison of finished runs."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tonegap.cli.complete import suite_names
from tonegap.cli.options import store_option, suite_root_option
from tonegap.cli.terminal import put, say
from tonegap.errors import BadRequest

if TYPE_CHECKING:
    from tonegap.results.board import Leaderboard
    from tonegap.store.source import ResultSource

FORMATS = ("html", "md", "tex", "csv", "json", "parquet")


@click.command("report")
@click.argument("runs", nargs=-1, shell_complete=suite_names)
@click.option("--format", "output", type=click.Choice(FORMATS), default="html", show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="File to write (default: the terminal); html: a folder for all formats "
    "(default: report/ in the store) or one file .html.",
)
@click.option(
    "--entry",
    metavar="LABEL",
    default=None,
    help="Only the page of this entry, as for one that the report has no page of.",
)
@click.option(
    "--strict",
    is_flag=True,
    help="Exit with 1 if a declared run has no record, or something is wrong with a control or the truth.",
)
@store_option
@suite_root_option
@click.pass_context
def command(  # noqa: PLR0913 (click hands over each option as an argument)
    ctx: click.Context,
    runs: tuple[str, ...],
    output: str,
    out: Path | None,
    entry: str | None,
    strict: bool,
    store: Path | None,
    suite_root: Path | None,
) -> None:
    """The leaderboard of RUNS: names of suites that ran in this store (default: all of them), or bundles.

    A bundle (`….tonegap.zip`) needs no store, and --out says where its pages go. It is verified and held against the
    plug-ins of the suite root and the truth of the store, where the task ran there, as `tonegap board` does.

    A report is made from records alone; making it again gives the same bytes. A matrix with runs
    missing says so in its title.
    """
    from tonegap.declared.root import default_store, find_root

    root = find_root(suite_root)
    bundles = [Path(name) for name in runs if name.endswith(".zip")]
    contested: Mapping[str, str] | None = None
    with tempfile.TemporaryDirectory(prefix="tonegap-report-") as aside:
        if bundles:
            if len(bundles) < len(runs) or (out is None and output == "html"):
                raise BadRequest(
                    f"{bundles[0]}: a report of bundles is of bundles alone, and needs --out DIR"
                )
            own = store or default_store(root)
            (store, contested), runs = _united(root, own, bundles, Path(aside)), ()
        board, source = _gather(root, store or default_store(root), runs, contested)
        _write(board, source, output, out, entry)
    if strict and _say_problems(board):
        ctx.exit(1)


def _united(
    root: Path, own: Path, bundles: list[Path], folder: Path
) -> tuple[Path, Mapping[str, str]]:
    """Bundles as one store below an empty folder, and the tasks on whose truth they disagree.

    Raises BadRequest naming the first that would not be on a board.
    """
    from tonegap.results.submissions.bundled import united_with

    store, united = united_with(root, own, bundles, folder)
    for refused in united.refused:
        raise BadRequest(f"{refused.path}: {refused.why}")
    return store, united.contested


def _write(
    board: "Leaderboard", source: "ResultSource", output: str, out: Path | None, entry: str | None
) -> None:
    from tonegap.report.write import write_board, write_entry

    folder = out or source.store / "report"
    if entry is not None:
        if output != "html" or folder.suffix == ".html":
            raise BadRequest(
                "--entry makes a page in a folder: leave out --format, or name a folder with --out"
            )
        for page in write_entry(board, entry, folder, source):
            say(page)
    elif output == "html" and (out is None or out.suffix != ".html"):
        say(write_board(board, folder, source))
    else:
        _echo_or_write(_rendered(board, output), out)


def _gather(
    root: Path, folder: Path, runs: tuple[str, ...], contested: Mapping[str, str] | None
) -> "tuple[Leaderboard, ResultSource]":
    """The leaderboard of the named suites of a store, and where its pages find the rest."""
    from tonegap.results.assemble import assemble, without_cycle_search
    from tonegap.results.settings import read_settings, titled
    from tonegap.store.read import read_suites
    from tonegap.store.source import ResultSource

    with without_cycle_search():
        suites = read_suites(folder, runs)
        settings = titled(read_settings(root), [suite.matrix.title for suite in suites])
        board = assemble(folder, suites, settings, contested)
        return board, ResultSource(root, folder, suites)


def _rendered(board: "Leaderboard", output: str) -> str | bytes:
    """A report of one file."""
    from tonegap.report.exports.parquet import render_parquet
    from tonegap.report.write import RENDERERS
    from tonegap.results.quality import without_pages

    board = replace(board, sheets=without_pages(board.sheets))
    return render_parquet(board) if output == "parquet" else RENDERERS[output](board)


def _say_problems(board: "Leaderboard") -> bool:
    """Says on standard error what is wrong with a report, and whether anything is."""
    from tonegap.report.phrases import missing

    for kind, alarm in board.stamps:
        say(f"{kind.lower()}: {alarm}", err=True)
    if board.holes:
        say(f"incomplete: {missing(board.holes, board.n_cells)}", err=True)
    return bool(board.holes or board.stamps)


def _echo_or_write(rendered: str | bytes, out: Path | None) -> None:
    """To the terminal, or to a file, whose name is then what the terminal shows."""
    from tonegap.report.write import write_bytes

    if out is None and isinstance(rendered, bytes):
        raise BadRequest("--format parquet: not for a terminal; name a file with --out FILE")
    if out is None:
        put(rendered)
    else:
        write_bytes(out, rendered.encode() if isinstance(rendered, str) else rendered)
        say(out)
