"""The leaderboard as Parquet: the lines of the CSV, typed."""

import csv
import io

import pyarrow as pa
import pyarrow.parquet
import pytest
from report_files import render_csv

from tonegap.report.exports.parquet import render_parquet
from tonegap.results.leaderboard import leaderboard


@pytest.fixture
def board(make_record, entry, cell, hole, settings):
    """One entry over two seeds, one that failed, one whose darkest tone is undefined."""
    cells = [
        cell(make_record(entry("none+erm"), seed, {"I": 0.9, "VI": dark}))
        for seed, dark in enumerate((0.5, 0.6))
    ]
    few = {"I": 0.9, "VI": "VI has 2 images"}
    cells += [cell(make_record(entry("few+erm"), seed, few)) for seed in (0, 1)]
    failed = [cell(make_record(entry("failed+erm"), 1, few)), hole(entry("failed+erm"), 0, "oom")]
    return leaderboard([*cells, *failed], settings)


def table_of(board):
    return pyarrow.parquet.read_table(io.BytesIO(render_parquet(board)))


def test_the_lines_are_those_of_the_csv(board):
    table, lines = table_of(board), list(csv.DictReader(io.StringIO(render_csv(board))))
    assert table.column_names == list(lines[0])
    assert table.num_rows == len(lines)
    for name in ("task", "method", "tone", "reason", "unranked"):
        assert [v or "" for v in table[name].to_pylist()] == [line[name] for line in lines]
    means = [line["mean"] for line in lines]
    assert [repr(v) if v is not None else "" for v in table["mean"].to_pylist()] == means


def test_columns_have_types_and_what_is_undefined_is_null(board):
    table = table_of(board)
    kinds = {name: table.schema.field(name).type for name in ("mean", "rank", "control", "tone")}
    assert kinds == {
        "mean": pa.float64(),
        "rank": pa.int32(),
        "control": pa.bool_(),
        "tone": pa.string(),
    }
    row = next(r for r in table.to_pylist() if r["method"] == "few" and r["tone"] == "VI")
    assert (row["mean"], row["reason"]) == (None, "VI has 2 images")
    ranked = [r for r in table.to_pylist() if r["rank"] == 1]
    assert [(r["method"], r["tone"], r["mean"]) for r in ranked] == [("none", "worst", 0.55)]


def test_the_schema_names_the_report_and_what_is_missing(board):
    about = table_of(board).schema.metadata
    assert about[b"title"].decode() == "INCOMPLETE: 1 of 6 runs missing (1 oom) – Leaderboard"
    assert about[b"missing"] == b"1 of 6 runs missing (1 oom)"


def test_the_same_board_gives_the_same_bytes(board):
    assert render_parquet(board) == render_parquet(board)
