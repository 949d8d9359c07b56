"""Writes the lines of the tidy CSV as a Parquet file with typed columns."""

import io
from collections.abc import Iterator

import pyarrow as pa
import pyarrow.parquet

from tonegap.report.exports.csv_ import COLUMNS, INTERVAL_COLUMNS, Batch, csv_pieces, tidy_batches
from tonegap.report.exports.protocol import File
from tonegap.report.phrases import missing, report_title
from tonegap.results.board import Leaderboard
from tonegap.results.nulls import NULL_COLUMNS
from tonegap.store.source import ResultSource

SCHEMA = "tonegap/leaderboard-lines@1"
_YES_OR_NO: dict[str | int | float | None, bool | None] = {"yes": True, "no": False, None: None}
_TYPES = {
    **dict.fromkeys(("stand_in", "drawn", "control", "larger_is_better"), pa.bool_()),
    **dict.fromkeys(
        ("subset", "seeds_declared", "seeds_finished", "n_low", "n_high", "rank"), pa.int32()
    ),
    **dict.fromkeys(
        (
            "mean",
            "low",
            "high",
            "change_from_reference",
            "under_test_oracle",
            "cross_fitted_gain",
            *INTERVAL_COLUMNS,
            *NULL_COLUMNS,
        ),
        pa.float64(),
    ),
}


def files(board: Leaderboard, source: ResultSource | None) -> Iterator[File]:  # noqa: ARG001
    """`leaderboard.csv`, and `leaderboard.parquet` made of the same lines while the CSV is written."""
    parquet = TidyParquet(board)
    yield "leaderboard.csv", csv_pieces(board, parquet.add)
    yield "leaderboard.parquet", [parquet.finish()]


def render_parquet(board: Leaderboard) -> bytes:
    """The file; the same board gives the same bytes under one version of Arrow."""
    parquet = TidyParquet(board)
    for lines in tidy_batches(board):
        parquet.add(lines)
    return parquet.finish()


class TidyParquet:
    """The file while its lines come. Its schema's metadata has the report's title, and what is missing from it."""

    def __init__(self, board: Leaderboard) -> None:
        about = {
            "schema": SCHEMA,
            "title": report_title(board),
            "missing": missing(board.holes, board.n_runs) if board.holes else "",
        }
        self._schema = pa.schema([(name, _TYPES.get(name, pa.string())) for name in COLUMNS], about)
        self._out = io.BytesIO()
        self._writer = pyarrow.parquet.ParquetWriter(self._out, self._schema, compression="zstd")

    def add(self, lines: Batch) -> None:
        """One row group of these lines."""
        self._writer.write_batch(_batch(lines, self._schema))

    def finish(self) -> bytes:
        """The whole file; nothing can be added after."""
        self._writer.close()
        return self._out.getvalue()


def _batch(lines: Batch, schema: pa.Schema) -> pa.RecordBatch:
    columns = zip(*lines, strict=True)
    return pa.record_batch([_column(*pair) for pair in zip(schema, columns, strict=True)], schema)


def _column(field: pa.Field, values: tuple[str | int | float | None, ...]) -> pa.Array:
    if field.type == pa.bool_():
        return pa.array([_YES_OR_NO[value] for value in values], field.type)
    return pa.array(values, field.type)
