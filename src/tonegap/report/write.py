"""A report as files: the page and the same tables in every other format beside it."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tonegap.errors import StoreError
from tonegap.files import write_pieces_atomic
from tonegap.formats.matrix import Cell
from tonegap.report.exports import described, json_, latex, markdown, parquet
from tonegap.report.exports.base import Export
from tonegap.report.exports.json_ import render_json
from tonegap.report.exports.latex import render_latex
from tonegap.report.exports.markdown import render_markdown
from tonegap.report.exports.tidy import render_csv
from tonegap.report.pages.across_page import across_files
from tonegap.report.pages.compare_page import compare_files
from tonegap.report.pages.entry_page import entry_files, files_of, rows_named
from tonegap.report.pages.leaderboard_page import render_html
from tonegap.report.pages.paper_page import paper_files, paper_lines
from tonegap.report.pages.plugin_page import card_files
from tonegap.report.pages.quality_page import remove_unlisted, sheet_files
from tonegap.results.answers import Answers
from tonegap.results.board import Leaderboard
from tonegap.results.leaderboard import leaderboard
from tonegap.results.levelling import with_claims
from tonegap.results.quality import SetSheet
from tonegap.results.settings import LeaderboardSettings
from tonegap.store.source import ResultSource

RENDERERS: Mapping[str, Callable[[Leaderboard], str]] = {
    "html": render_html,
    "md": render_markdown,
    "tex": render_latex,
    "csv": render_csv,
    "json": render_json,
}
# The leaderboard in every format but the page's; and what other tools read, which the page names.
TABLES: tuple[Export, ...] = (markdown.files, latex.files, json_.files, parquet.files)
BESIDE: tuple[Export, ...] = (described.files,)
PAGE_NAME = "index.html"


def write_report(
    cells: Sequence[Cell],
    settings: LeaderboardSettings,
    out_dir: Path,
    sheets: tuple[SetSheet, ...] = (),
    answers: Answers | None = None,
    source: ResultSource | None = None,
) -> Path:
    """Writes `index.html`, `leaderboard.{md,tex,csv,json,parquet}` and `quality/`; returns the page's path.

    With a `source` also the pages that need more than records. Each file is whole or not there; the page comes
    last. Raises StoreError if the folder cannot be written, BadRoom for a wrong template, BadRequest for cells
    that contradict each other.
    """
    board = replace(leaderboard(cells, settings, answers), sheets=sheets)
    board = board if answers is None else with_claims(board, answers)
    return write_board(board, out_dir, source)


def write_board(board: Leaderboard, out_dir: Path, source: ResultSource | None = None) -> Path:
    """As `write_report`, for a leaderboard that is there already."""
    for export in TABLES:
        for path, pieces in export(board, source):
            write_pieces(out_dir / path, pieces)
    remove_unlisted(board.sheets, out_dir)
    _write_all(sheet_files(board.sheets, board.settings, with_cards=source is not None), out_dir)
    if source is not None:
        others = [file for export in BESIDE for file in export(board, source)]
        beside = tuple(path for path, _ in others)
        board = replace(board, site=True, papers=paper_lines(source), beside=beside)
        for path, pieces in others:
            write_pieces(out_dir / path, pieces)
        all_tasks = across_files(board)
        board = replace(board, beside=(*beside, *all_tasks))
        _write_all(compare_files(board) | paper_files(board) | all_tasks, out_dir)
        _write_all(entry_files(board, source) | card_files(board, source), out_dir)
    page = out_dir / PAGE_NAME
    write_text(page, render_html(board))
    return page


def write_entry(board: Leaderboard, label: str, out_dir: Path, source: ResultSource) -> list[Path]:
    """Writes the page of every row of that label; returns the pages' paths.

    It links to what is in that folder already. Raises BadRequest where there is no such entry, StoreError if
    the folder cannot be written.
    """
    rows = rows_named(board, label)
    files = files_of(board, rows, source, lambda path: (out_dir / path).exists())
    for path, content in files.items():
        write_bytes(out_dir / path, content)
    return [out_dir / path for path in files if path.endswith(".html")]


def _write_all(files: Mapping[str, bytes], out_dir: Path) -> None:
    for path, content in files.items():
        write_bytes(out_dir / path, content)


def write_text(path: Path, text: str, option: str = "--out") -> None:
    """Writes a whole UTF-8 file or nothing. Raises StoreError if that cannot be done."""
    write_bytes(path, text.encode(), option)


def write_bytes(path: Path, content: bytes, option: str = "--out") -> None:
    """Writes a whole file or nothing. Raises StoreError, with the option that named it, if that cannot be done."""
    write_pieces(path, (content,), option)


def write_pieces(path: Path, pieces: Iterable[bytes], option: str = "--out") -> None:
    """As `write_bytes`, for a file that comes bit by bit."""
    try:
        write_pieces_atomic(path, pieces)
    except OSError as e:
        raise StoreError(
            f"{path}: cannot be written: {e.strerror}; choose another {option}"
        ) from None
