"""The page of one entry by itself, for those that a report's own pages do not reach."""

from pathlib import Path

from tonegap.report.pages.entry_write import files_of, rows_named
from tonegap.report.write import write_bytes
from tonegap.results.board import Leaderboard
from tonegap.store.source import Source


def write_entry(board: Leaderboard, label: str, out_dir: Path, source: Source) -> list[Path]:
    """Writes the page of every row of that label; returns the pages' paths.

    It links to what is in that folder already. Raises BadRequest where there is no such entry, StoreError if
    the folder cannot be written.
    """
    rows = rows_named(board, label)
    files = files_of(board, rows, source, lambda path: (out_dir / path).exists())
    for path, content in files.items():
        write_bytes(out_dir / path, content)
    return [out_dir / path for path in files if path.endswith(".html")]
