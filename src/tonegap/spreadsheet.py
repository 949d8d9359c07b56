"""Cells of a CSV that people open in a spreadsheet: a text that would be read as a formula gets an apostrophe.

The mistake it exists to prevent: a class or an entry named `=HYPERLINK(…)` that runs where a table is opened.
"""

import csv
import io
import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import TypeVar

T = TypeVar("T")
# What a spreadsheet may take for the start of a formula or skip before one, full-width signs included.
_STARTS = tuple("=+-@\t\r\n＝＋－＠")
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?( ?± ?\d+\.?\d*)?( ?%)?")


def safe_cell(value: T) -> T | str:
    """The value, with an apostrophe before a text that begins like a formula and is no number (`-0.5`, `+1e-3`)."""
    return _safe(value) if isinstance(value, str) else value


def safe_csv(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A CSV with LF whose cells are safe: a header, then the rows; None is an empty cell."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([safe_cell(cell) for cell in row] for row in rows)
    return out.getvalue()


@lru_cache(maxsize=4096)
def _safe(text: str) -> str:
    return f"'{text}" if text.startswith(_STARTS) and not _NUMBER.fullmatch(text) else text
