"""`tonegap report`: leaderboard and comparison of finished runs."""

from dataclasses import replace
from pathlib import Path

import click

from tonegap.cli.options import store_option, suite_root_option

FORMATS = ("html", "md", "tex", "csv", "json")


@click.command("report")
@click.argument("runs", nargs=-1)
@click.option("--format", "output", type=click.Choice(FORMATS), default="html", show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=None,
    help="File to write (default: the terminal); html: a folder for all formats "
    "(default: report/ in the store) or one file .html.",
)
@click.option("--strict", is_flag=True, help="Exit with 1 if a declared cell has no record.")
@store_option
@suite_root_option
@click.pass_context
def command(  # noqa: PLR0913 (click hands over each option as an argument)
    ctx: click.Context,
    runs: tuple[str, ...],
    output: str,
    out: Path | None,
    strict: bool,
    store: Path | None,
    suite_root: Path | None,
) -> None:
    """The leaderboard of RUNS: names of suites that ran in this store (default: all of them).

    A report is made from records alone; making it again gives the same bytes. A matrix with cells
    missing says so in its title.
    """
    from tonegap.report.kept import kept_answers
    from tonegap.report.leaderboard import leaderboard
    from tonegap.report.quality import read_set_sheets, without_pages
    from tonegap.report.read import merge_suites, read_suites
    from tonegap.report.settings import read_settings, titled
    from tonegap.report.words import missing
    from tonegap.report.write import RENDERERS, with_claims, write_board
    from tonegap.rooms.root import find_root

    root = find_root(suite_root)
    folder = store or root / "runs"
    suites = read_suites(folder, runs)
    settings = titled(read_settings(root), [suite.matrix.title for suite in suites])
    as_folder = output == "html" and (out is None or out.suffix != ".html")
    sheets = read_set_sheets(folder, suites)
    board = leaderboard(merge_suites(suites), settings)
    board = replace(board, sheets=sheets if as_folder else without_pages(sheets))
    board = with_claims(board, kept_answers(folder, settings.selection))
    if as_folder:
        click.echo(write_board(board, out or folder / "report"))
    else:
        _echo_or_write(RENDERERS[output](board), out)
    if strict and board.holes:
        click.echo(f"incomplete: {missing(board.holes, board.n_cells)}", err=True)
        ctx.exit(1)


def _echo_or_write(text: str, out: Path | None) -> None:
    """To the terminal, or to a file, whose name is then what the terminal shows."""
    from tonegap.report.write import write_text

    if out is None:
        click.echo(text, nl=False)
    else:
        write_text(out, text)
        click.echo(out)
