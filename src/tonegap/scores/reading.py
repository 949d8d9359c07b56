"""A CSV or Parquet file into a table whose columns are known, or one sentence about what is wrong.

The mistake it exists to prevent: a reader that guesses. Ids such as 000001 stay text, rows of the
wrong length are not skipped, and what only looks like a CSV (an error page, a spreadsheet saved
with semicolons) is named for what it is.
"""

import codecs
import csv
import io
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from tonegap.errors import BadPredictions
from tonegap.files import status_of

MAX_CSV_BYTES = 2 << 30
MAX_CELLS = 250_000_000
MAX_COLUMNS = 10_000
# What a Parquet file may unpack to: so much in any case, and so much for each of its bytes. Probabilities
# that were measured take a byte or more each; the same one a million times takes none.
FREE_CELLS, CELLS_PER_BYTE = 12_000_000, 4
FREE_BYTES, UNPACKED_PER_BYTE = 96 << 20, 40
PROBABILITY = "p_"
_MAX_HEADER_BYTES = 1 << 20
_SHOWN = 3
_UTF_16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_CURE = "save it as UTF-8, or write Parquet"


Wanted = Callable[[str], bool]


def read_table(path: Path, is_wanted: Wanted = lambda _name: True) -> pa.Table:
    """The table of a CSV or Parquet file, distinguished by content.

    Of a Parquet file only the columns whose names are wanted; they must hold texts or numbers. From a
    CSV, columns named `p_…` come as float64, or as text if a cell is no number; all others as text. A UTF-8
    byte order mark and CRLF are harmless. Raises BadPredictions if the file cannot be read, is neither, is
    empty, not UTF-8, too large or unpacks to far more than it is, or has repeated columns or ragged rows.
    """
    try:
        status_of(path)
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
            table = _read_parquet(file, path, is_wanted) if is_parquet else _read_csv(file, path)
    except MemoryError as e:
        raise BadPredictions(f"{path}: needs far more memory than its size allows") from e
    except OSError as e:
        raise BadPredictions(f"{path}: cannot be read ({e.strerror or one_line(str(e))})") from e
    if not table.num_rows:
        raise BadPredictions(f"{path}: has no rows")
    return table


def refuse(where: str, what: str, offenders: Sequence[str], advice: str = "") -> None:
    """Raises BadPredictions if there are offenders: what they are, how many, the first three."""
    if not offenders:
        return
    shown = ", ".join(printable(offender) for offender in offenders[:_SHOWN])
    count = f"{len(offenders):,}" + (", first" if len(offenders) > _SHOWN else "")
    raise BadPredictions(f"{where}: {what} ({count}: {shown})" + (f"; {advice}" if advice else ""))


def printable(text: str) -> str:
    """A cell's text; quoted, escaped and cut where a terminal or a reader would stumble over it."""
    if text.isprintable() and text == text.strip() and 0 < len(text) <= 80:
        return text
    return ascii(text if len(text) <= 80 else text[:80] + "…")


def one_line(message: str) -> str:
    """A library's message as part of a sentence."""
    return " ".join(message.split())[:200]


def as_text(column: pa.ChunkedArray, name: str, where: str) -> pa.ChunkedArray:
    """A column of text; raises BadPredictions if the file holds numbers there.

    An id that was ever a number has lost its zeros, so it cannot be joined on.
    """
    if not _is_text(column.type):
        stored = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        raise BadPredictions(
            f"{where}: column {name} holds {stored}, and it must hold text; write it as strings"
        )
    return pc.cast(column, pa.string())


def _read_parquet(file: BinaryIO, path: Path, is_wanted: Wanted) -> pa.Table:
    try:
        size = file.seek(0, io.SEEK_END)
        file.seek(0)
        metadata = pyarrow.parquet.read_metadata(file)
        schema = metadata.schema.to_arrow_schema()
        _check_columns(schema.names, path)
        names = [name for name in schema.names if is_wanted(name)]
        kinds = {name: schema.field(name).type for name in names}
        # Cells of other types have no bound on their size.
        other = [f"{n} holds {k}" for n, k in kinds.items() if not (_is_text(k) or is_number(k))]
        refuse(str(path), "columns of neither texts nor numbers", other)
        if metadata.num_rows * len(names) > MAX_CELLS:
            raise BadPredictions(
                f"{path}: has {metadata.num_rows:,} rows of {len(names):,} columns, and at most {MAX_CELLS:,} "
                f"cells are read; keep fewer epochs"
            )
        _check_unpacked(metadata, size, path)
        texts = [name for name, kind in kinds.items() if _is_text(kind)]
        # A text that a file holds once for a million rows stays one text until its size is known.
        parquet = pyarrow.parquet.ParquetFile(file, read_dictionary=texts, metadata=metadata)
        return _spelled_out(parquet.read(columns=names, use_threads=False), size, path)
    except MemoryError:
        raise
    except (pa.ArrowException, OSError, ValueError) as e:
        raise BadPredictions(f"{path}: is a damaged Parquet file ({one_line(str(e))})") from e


def is_number(kind: pa.DataType) -> bool:
    """Whether a column of that type holds numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _is_text(kind: pa.DataType) -> bool:
    stored = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(stored) or pa.types.is_large_string(stored))


def _check_unpacked(metadata: pyarrow.parquet.FileMetaData, size: int, path: Path) -> None:
    """Raises BadPredictions for a small file that says of itself that it unpacks to a large table."""
    n_cells = metadata.num_rows * metadata.num_columns
    if n_cells > FREE_CELLS + CELLS_PER_BYTE * size:
        raise BadPredictions(
            f"{path}: has {n_cells:,} cells in {size:,} bytes, which no measured predictions have; keep fewer epochs"
        )
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    unpacked = sum(
        g.column(j).total_uncompressed_size for g in groups for j in range(g.num_columns)
    )
    if unpacked > FREE_BYTES + UNPACKED_PER_BYTE * size:
        raise BadPredictions(
            f"{path}: unpacks from {size:,} bytes to {unpacked:,}, which no measured predictions do; "
            "wanted short ids and few epochs"
        )


def _spelled_out(table: pa.Table, size: int, path: Path) -> pa.Table:
    """The table with its texts as plain ones, once all that would be spelled out is known to fit."""
    coded = [name for name in table.column_names if pa.types.is_dictionary(table[name].type)]
    most = min(MAX_CSV_BYTES, FREE_BYTES + UNPACKED_PER_BYTE * size)
    spelled = sum(_text_bytes(table[name]) for name in coded)
    if spelled > most:
        raise BadPredictions(
            f"{path}: holds {spelled:,} bytes of text, and at most {most:,} are read of a file of {size:,} bytes; "
            "wanted short ids"
        )
    for name in coded:
        place = table.column_names.index(name)
        table = table.set_column(place, name, pc.cast(table[name], pa.string()))
    return table


def _text_bytes(column: pa.ChunkedArray) -> int:
    """Bytes of a dictionary column's texts, each counted as often as it stands there."""
    total = 0
    for chunk in column.chunks:
        lengths = pc.fill_null(pc.binary_length(chunk.dictionary), 0).to_numpy()
        used = chunk.indices.drop_null().to_numpy()
        total += int(np.bincount(used, minlength=len(lengths)) @ lengths.astype(np.int64))
    return total


def _read_csv(file: BinaryIO, path: Path) -> pa.Table:
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if not size:
        raise BadPredictions(f"{path}: is empty; wanted a CSV with a header, or Parquet")
    if size > MAX_CSV_BYTES:
        raise BadPredictions(
            f"{path}: has {size:,} bytes, and at most {MAX_CSV_BYTES:,} of CSV are read; "
            f"keep fewer epochs or write Parquet"
        )
    names = _header(file.readline(_MAX_HEADER_BYTES), path)
    types = {n: pa.float64() if n.startswith(PROBABILITY) else pa.string() for n in names}
    try:
        return _parse_csv(file, types, path)
    except pa.ArrowInvalid as e:
        if "conversion error to double" not in str(e):
            raise _not_csv(str(e), path) from e
    try:
        return _parse_csv(file, dict.fromkeys(names, pa.string()), path)
    except pa.ArrowInvalid as e:
        raise _not_csv(str(e), path) from e


def _header(line: bytes, path: Path) -> list[str]:
    try:
        text = line.removeprefix(b"\xef\xbb\xbf").decode()
    except UnicodeDecodeError as e:
        begins = "it begins as UTF-16 does: " if line[:2] in _UTF_16 else ""
        raise BadPredictions(
            f"{path}: is not UTF-8 text, and no Parquet file either; {begins}{_CURE}"
        ) from e
    if "\0" in text or len(line) == _MAX_HEADER_BYTES:
        why = (
            "it holds NUL, as UTF-16 without its mark does"
            if "\0" in text
            else "its first line does not end"
        )
        raise BadPredictions(f"{path}: is neither a CSV nor a Parquet file; {why}: {_CURE}")
    try:
        names = next(csv.reader([text.rstrip("\r\n")]), [])
    except csv.Error as e:
        raise BadPredictions(f"{path}: is not a readable CSV ({e})") from e
    if not names:
        raise BadPredictions(f"{path}: its first line is empty; wanted a header")
    if len(names) == 1 and ";" in names[0]:
        raise BadPredictions(f"{path}: columns are separated by semicolons; wanted commas")
    _check_columns(names, path)
    return names


def _check_columns(names: Sequence[str], path: Path) -> None:
    if len(names) > MAX_COLUMNS:
        raise BadPredictions(
            f"{path}: has {len(names):,} columns, and at most {MAX_COLUMNS:,} are read"
        )
    repeated = [name for name, n in Counter(names).items() if n > 1]
    refuse(str(path), "several columns of one name", repeated)


def _parse_csv(file: BinaryIO, types: dict[str, pa.DataType], path: Path) -> pa.Table:
    ragged: list[Any] = []

    def keep(row: Any) -> str:
        ragged.append(row)
        return "skip"

    file.seek(0)
    table = pyarrow.csv.read_csv(
        file,
        # Threads would lose the row numbers that errors name.
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=1 << 24),
        parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=keep),
        convert_options=pyarrow.csv.ConvertOptions(column_types=types),
    )
    lines = [f"line {row.number} has {row.actual_columns}" for row in ragged]
    refuse(str(path), f"lines without the header's {len(types)} cells", lines)
    return table


def _not_csv(message: str, path: Path) -> BadPredictions:
    if "invalid UTF8" in message:
        return BadPredictions(f"{path}: is not UTF-8 text; {_CURE}")
    return BadPredictions(f"{path}: is not a readable CSV ({one_line(message)})")
