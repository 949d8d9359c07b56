"""Text files of others as text: one encoding rule for TOML, CSV and cards; and what a terminal can show of any text.

The mistakes it exists to prevent: a byte-order mark that hides the first column's name, and a traceback because a
spreadsheet or a terminal has an encoding of its own.
"""

import codecs
import io
import sys
from pathlib import Path

from tonegap.errors import ToneGapError
from tonegap.files import status_of

MAX_BYTES = 256 << 20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_ESCAPE = "tonegap-escape"
_NO_LABEL = frozenset({"", "nan"})


def is_label(cell: str) -> bool:
    """Whether a cell says anything: neither blank nor the `nan` of a table that was saved without it."""
    return cell.strip().casefold() not in _NO_LABEL


def read_text(path: Path, error: type[ToneGapError], most: int = MAX_BYTES) -> str:
    """The text of a file, without a byte-order mark. Raises FileNotFoundError for none, else `error`."""
    try:
        size = status_of(path).st_size
        if size > most:
            raise error(f"{path}: {size:,} bytes; at most {most >> 20} MiB are read")
        content = path.read_bytes()
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as e:
        text = e.strerror if isinstance(e, OSError) else str(e)
        raise error(f"{path}: cannot be read: {text}") from None
    return decode_text(content, str(path), error)


def decode_text(content: bytes, where: str, error: type[ToneGapError]) -> str:
    """UTF-8, or what a byte-order mark declares. Raises `error` for anything else."""
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as e:
        kind = encoding.removesuffix("-sig").upper()
        raise error(f"{where}: byte {e.start} is not {kind}; save it with UTF-8 encoding") from None
    if "\0" in text:
        raise error(
            f"{where}: holds NUL, as UTF-16 without its mark does; save it with UTF-8 encoding"
        )
    return text


def escape_what_cannot_be_shown() -> None:
    r"""Writes what the terminal's encoding lacks as \uXXXX, which JSON reads back, in place of a traceback."""
    codecs.register_error(_ESCAPE, _escaped)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=_ESCAPE)


def _escaped(problem: UnicodeError) -> tuple[str, int]:
    if not isinstance(problem, UnicodeEncodeError):
        raise problem
    text = problem.object[problem.start : problem.end]
    units = text.encode("utf-16-be", "surrogatepass")
    pairs = (units[i : i + 2].hex() for i in range(0, len(units), 2))
    return "".join(f"\\u{pair}" for pair in pairs), problem.end


def last_lines(path: Path, n: int) -> list[str]:
    """The last lines of a log that are not blank, up to `n`; none where it cannot be read. What is no UTF-8 is `�`."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, io.SEEK_END) - (n << 12)))
            content = file.read()
    except OSError:
        return []
    return [line for line in content.decode(errors="replace").splitlines() if line.strip()][-n:]
