"""A CSV or Parquet file into a table whose columns are known, or one sentence about what is wrong.

The mistake it exists to prevent: a reader that guesses. Ids such as 000001 stay text, rows of the
wrong length are not skipped, and what only looks like a CSV (an error page, a spreadsheet saved
with semicolons) is named for what it is.
"""

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

MAX_CSV_BYTES = 2 << 30
MAX_CELLS = 250_000_000
PROBABILITY = "p_"
_MAX_HEADER_BYTES = 1 << 20
_SHOWN = 3


def read_table(path: Path) -> pa.Table:
    """The table of a CSV or Parquet file, told apart by content.

    From a CSV, columns named `p_…` come as float64, or as text if a cell is no number; all others
    as text. A UTF-8 byte order mark and CRLF are harmless. Raises BadPredictions if the file cannot
    be read, is neither, is empty, not UTF-8, too large, or has repeated columns or ragged rows.
    """
    try:
        with path.open("rb") as file:
            is_parquet = file.read(4) == b"PAR1"
            table = _read_parquet(file, path) if is_parquet else _read_csv(file, path)
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
    stored = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if not (pa.types.is_string(stored) or pa.types.is_large_string(stored)):
        raise BadPredictions(
            f"{where}: column {name} holds {stored}, and it must hold text; write it as strings"
        )
    return pc.cast(column, pa.string())


def _read_parquet(file: BinaryIO, path: Path) -> pa.Table:
    try:
        file.seek(0)
        schema = pyarrow.parquet.read_schema(file)
        _check_columns(schema.names, path)
        _check_types(schema, path)
        texts = [field.name for field in schema if _is_text(field.type)]
        file.seek(0)
        # A text that a file holds once for a million rows stays one text until its size is known.
        parquet = pyarrow.parquet.ParquetFile(file, read_dictionary=texts)
        _check_cells(parquet.metadata.num_rows, parquet.metadata.num_columns, path)
        return _spelled_out(parquet.read(use_threads=False), texts, path)
    except (pa.ArrowException, OSError) as e:
        raise BadPredictions(f"{path}: is a damaged Parquet file ({one_line(str(e))})") from e


def _check_types(schema: pa.Schema, path: Path) -> None:
    """Raises BadPredictions for columns whose cells have no bound on their size."""
    unbounded = [
        f"{field.name} holds {field.type}"
        for field in schema
        if pa.types.is_nested(field.type) or pa.types.is_fixed_size_binary(field.type)
    ]
    refuse(str(path), "columns of neither texts nor numbers", unbounded)


def _is_text(kind: pa.DataType) -> bool:
    return any(is_one(kind) for is_one in (pa.types.is_string, pa.types.is_large_string))


def _spelled_out(table: pa.Table, texts: Sequence[str], path: Path) -> pa.Table:
    """The table with these columns as text, once all that would be spelled out is known to fit."""
    coded = [name for name in table.column_names if pa.types.is_dictionary(table[name].type)]
    size = sum(_text_bytes(table[name]) for name in coded)
    if size > MAX_CSV_BYTES:
        raise BadPredictions(
            f"{path}: holds {size:,} bytes of text, and at most {MAX_CSV_BYTES:,} are read; "
            f"wanted short ids"
        )
    for name in texts:
        place = table.column_names.index(name)
        table = table.set_column(place, name, pc.cast(table[name], pa.string()))
    return table


def _text_bytes(column: pa.ChunkedArray) -> int:
    """Bytes of a dictionary column's texts, each counted as often as it stands there."""
    total = 0
    for chunk in column.chunks:
        if pa.types.is_string(chunk.dictionary.type):
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
        raise BadPredictions(f"{path}: is not UTF-8 text, and no Parquet file either") from e
    if "\0" in text or len(line) == _MAX_HEADER_BYTES:
        raise BadPredictions(f"{path}: is neither a CSV nor a Parquet file")
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
    repeated = [name for name, n in Counter(names).items() if n > 1]
    refuse(str(path), "several columns of one name", repeated)


def _check_cells(n_rows: int, n_columns: int, path: Path) -> None:
    if n_rows * n_columns > MAX_CELLS:
        raise BadPredictions(
            f"{path}: has {n_rows:,} rows of {n_columns:,} columns, and at most {MAX_CELLS:,} "
            f"cells are read; keep fewer epochs"
        )


def _parse_csv(file: BinaryIO, types: dict[str, pa.DataType], path: Path) -> pa.Table:
    ragged: list[Any] = []
    file.seek(0)
    table = pyarrow.csv.read_csv(
        file,
        # Threads would lose the row numbers that errors name.
        read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=1 << 24),
        parse_options=pyarrow.csv.ParseOptions(invalid_row_handler=_collect_into(ragged)),
        convert_options=pyarrow.csv.ConvertOptions(column_types=types),
    )
    lines = [f"line {row.number} has {row.actual_columns}" for row in ragged]
    refuse(str(path), f"lines without the header's {len(types)} cells", lines)
    return table


def _collect_into(ragged: list[Any]) -> Callable[[Any], str]:
    def keep(row: Any) -> str:
        ragged.append(row)
        return "skip"

    return keep


def _not_csv(message: str, path: Path) -> BadPredictions:
    if "invalid UTF8" in message:
        return BadPredictions(f"{path}: is not UTF-8 text; save it as UTF-8")
    return BadPredictions(f"{path}: is not a readable CSV ({one_line(message)})")
