"""A report as files: the page and the same tables in every other format beside it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tonegap.errors import StoreError
from tonegap.files import write_atomic
from tonegap.report.claims import board_claims
from tonegap.report.html import render_html
from tonegap.report.json_ import render_json
from tonegap.report.kept import Answers
from tonegap.report.latex import render_latex
from tonegap.report.leaderboard import leaderboard
from tonegap.report.markdown import render_markdown
from tonegap.report.model import Leaderboard
from tonegap.report.quality import SetSheet
from tonegap.report.quality_write import sheet_files
from tonegap.report.settings import LeaderboardSettings
from tonegap.report.tidy import render_csv
from tonegap.run.matrix import Cell

RENDERERS: Mapping[str, Callable[[Leaderboard], str]] = {
    "html": render_html,
    "md": render_markdown,
    "tex": render_latex,
    "csv": render_csv,
    "json": render_json,
}
PAGE_NAME = "index.html"


def write_report(
    cells: Sequence[Cell],
    settings: LeaderboardSettings,
    out_dir: Path,
    sheets: tuple[SetSheet, ...] = (),
    answers: Answers | None = None,
) -> Path:
    """Writes `index.html`, `leaderboard.{md,tex,csv,json}` and `quality/`; returns the page's path.

    Each file is whole or not there; the page comes last. Raises StoreError if the folder cannot be
    written, BadRoom for a wrong template, BadRequest for cells that contradict each other.
    """
    board = replace(leaderboard(cells, settings), sheets=sheets)
    return write_board(board if answers is None else with_claims(board, answers), out_dir)


def with_claims(board: Leaderboard, answers: Answers) -> Leaderboard:
    """The board with intervals and comparisons, from the answers that were kept."""
    return replace(board, claims=board_claims(board, answers))


def write_board(board: Leaderboard, out_dir: Path) -> Path:
    """As `write_report`, for a leaderboard that is there already."""
    others = [name for name in RENDERERS if name != "html"]
    for name in others:
        write_text(out_dir / f"leaderboard.{name}", RENDERERS[name](board))
    for path, content in sheet_files(board.sheets, board.settings).items():
        write_bytes(out_dir / path, content)
    page = out_dir / PAGE_NAME
    write_text(page, render_html(board))
    return page


def write_text(path: Path, text: str) -> None:
    """Writes a whole UTF-8 file or nothing. Raises StoreError if that cannot be done."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, content: bytes) -> None:
    """Writes a whole file or nothing. Raises StoreError if that cannot be done."""
    try:
        write_atomic(path, content)
    except OSError as e:
        raise StoreError(f"{path}: cannot be written: {e.strerror}; choose another --out") from None
