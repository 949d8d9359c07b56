"""Reads a CSV file as rows of text: no cell is ever turned into a number, a NaN or a Boolean."""

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tonegap.errors import BadData, file_errors
from tonegap.files import status_of
from tonegap.texts import decode_text

_DELIMITERS = {";": "semicolons", "\t": "tabs", "|": "bars"}


@dataclass(frozen=True, slots=True)
class CsvTable:
    """A CSV as read: `lines` holds the line number of each row, for messages."""

    path: Path
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    lines: tuple[int, ...]


def read_content(path: Path) -> bytes:
    """A file's content. Raises BadData where it cannot be read."""
    with file_errors(BadData, f"{path}: cannot be read"):
        status_of(path)
        return path.read_bytes()


def read_table(path: Path, content: bytes, header: Sequence[str] = ()) -> CsvTable:
    """The rows of a comma-separated UTF-8 file (or of another Unicode form with its byte-order mark); CRLF and blank
    lines are fine. `header`: that of a file without one, whose first line is a row.

    Raises BadData for an empty file, another encoding or delimiter, and a row of another length.
    """
    if not content.strip():
        raise BadData(f"{path}: the file is empty; wanted a header and one row per image")
    numbered = _rows(path, decode_text(content, str(path), BadData))
    numbered = [(0, tuple(header)), *numbered] if header else numbered
    header = numbered[0][1]
    for sign, name in _DELIMITERS.items() if len(header) == 1 else ():
        if sign in header[0]:
            raise BadData(f"{path}: the columns are separated by {name}; wanted commas")
    if len(numbered) == 1:
        raise BadData(f"{path}: found a header and no row; wanted one row per image")
    for line, row in numbered:
        if len(row) != len(header):
            raise BadData(f"{path}: line {line}: {len(row)} cells; the header has {len(header)}")
    return CsvTable(
        path, header, tuple(r for _, r in numbered[1:]), tuple(n for n, _ in numbered[1:])
    )


def _rows(path: Path, text: str) -> list[tuple[int, tuple[str, ...]]]:
    """(line number, cells) of every line that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        return [(reader.line_num, tuple(row)) for row in reader if row]
    except csv.Error as e:
        raise BadData(f"{path}: line {reader.line_num}: not valid CSV: {e}") from None
