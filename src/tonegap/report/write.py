"""Writes a report as files: the page, and the same tables in every other format beside it."""

import contextlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from tonegap.errors import BadRequest, StoreError, file_errors
from tonegap.files import write_pieces_atomic
from tonegap.report.exports import FORMATS, other_tools
from tonegap.report.exports.json_ import SCHEMA
from tonegap.report.exports.protocol import Export
from tonegap.report.pages import (
    across_page,
    compare_page,
    entry_page,
    leaderboard_page,
    paper_page,
    plugin_page,
    quality_page,
)
from tonegap.report.pages.links import ENTRIES
from tonegap.results.board import Leaderboard
from tonegap.results.papers.compare import compared_papers
from tonegap.store.source import ResultSource


def export_of(ending: str) -> Export:
    """The export that writes `leaderboard.ENDING`, for an ending of FORMATS."""
    export: Export = import_module(f"tonegap.report.{FORMATS[ending]}").files
    return export


# What needs no more than the board; what the first page names: what other tools read, and all tasks; other pages.
TABLES: tuple[Export, ...] = (
    *dict.fromkeys(export_of(ending) for ending in FORMATS if ending != "html"),
    quality_page.files,
)
BESIDE: tuple[Export, ...] = (other_tools.files, across_page.files)
PAGES: tuple[Export, ...] = (
    compare_page.files,
    paper_page.files,
    entry_page.files,
    plugin_page.files,
)
PAGE_NAME = "index.html"


def write_board(board: Leaderboard, out_dir: Path, source: ResultSource | None = None) -> Path:
    """Writes `index.html`, `leaderboard.{md,tex,csv,json,parquet}` and `quality/`; returns the page's path.

    With a `source` also the pages that need more than records. Each file is whole or not there; the page comes
    last. Raises StoreError if the folder cannot be written, BadSuiteFolder for a wrong template.
    """
    beside: Sequence[str] | None = None
    quality_page.remove_unlisted(board.sheets, out_dir)
    _write(TABLES, board, source, out_dir)
    if source is not None:
        beside = _write(BESIDE, board, source, out_dir)
        board = replace(board, papers=compared_papers(source))
        _write(PAGES, board, source, out_dir)
    page = out_dir / PAGE_NAME
    write_text(page, leaderboard_page.render_html(board, beside))
    return page


def _write(
    exports: Iterable[Export], board: Leaderboard, source: ResultSource | None, out_dir: Path
) -> tuple[str, ...]:
    """Writes the files of exports; their paths below the folder."""
    written = []
    for export in exports:
        for path, pieces in export(board, source):
            write_pieces(out_dir / path, pieces)
            written.append(path)
    return tuple(written)


def document(board: Leaderboard, ending: str) -> bytes:
    """A report as one document, `ending` one of FORMATS; the same board gives the same bytes.

    Raises BadSuiteFolder if a template is missing or wrong.
    """
    made = {path: b"".join(pieces) for path, pieces in export_of(ending)(board, None)}
    return made[f"leaderboard.{ending}"]


def check_free(folder: Path) -> None:
    """Raises BadRequest for a folder with files of somebody's that are no earlier report; hidden ones do not count."""
    if not folder.is_dir():
        return
    there = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    with contextlib.suppress(OSError, ValueError, AttributeError):
        made = json.loads((folder / "leaderboard.json").read_bytes()).get("schema")
        if str(made).startswith(SCHEMA.partition("@")[0]):
            return
    if there - {ENTRIES}:  # pages of entries alone were written by `--entry`
        raise BadRequest(
            f"{folder}: found {min(there)!r} and no earlier report; choose a new or empty folder with --out"
        )


def write_entry(board: Leaderboard, label: str, out_dir: Path, source: ResultSource) -> list[Path]:
    """Writes the page of every row of that label; returns the pages' paths.

    It links to what is in that folder already. Raises BadRequest where there is no such entry, StoreError if
    the folder cannot be written.
    """
    rows = entry_page.rows_named(board, label)
    written = []
    for path, pieces in entry_page.files_of(board, rows, source, lambda p: (out_dir / p).exists()):
        write_pieces(out_dir / path, pieces)
        written.append(out_dir / path)
    return [path for path in written if path.suffix == ".html"]


def write_text(path: Path, text: str, option: str = "--out") -> None:
    """Writes a whole UTF-8 file or nothing. Raises StoreError if that cannot be done."""
    write_bytes(path, text.encode(), option)


def write_bytes(path: Path, content: bytes, option: str = "--out") -> None:
    """Writes a whole file or nothing. Raises StoreError, with the option that named it, if that cannot be done."""
    write_pieces(path, (content,), option)


def write_pieces(path: Path, pieces: Iterable[bytes], option: str = "--out") -> None:
    """As `write_bytes`, for a file that comes bit by bit."""
    with file_errors(StoreError, f"{path}: cannot be written", f"; choose another {option}"):
        write_pieces_atomic(path, pieces)
