"""Writes a leaderboard as JSON, with the evidence behind each seed (keys, digests, isolation, costs)."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from tonegap.formats.record import Record
from tonegap.report.answer_text import answer
from tonegap.report.exports.protocol import File
from tonegap.report.phrases import missing, report_title
from tonegap.results.board import Leaderboard
from tonegap.results.claims import Claims
from tonegap.results.model import Difference, LeaderboardTable, Mean, Row, SeedResult, View
from tonegap.results.nulls import nulls_listed
from tonegap.scores.evidence.parity import attainable
from tonegap.scores.repeats import standard_deviation
from tonegap.store.source import ResultSource

SCHEMA = "tonegap/leaderboard@1"
# Members that are written as they are.
_SUBMISSION = ("kind", "title", "authors", "paper", "code", "about")
_HOLE = ("entry", "task", "seed", "cause", "text")
_SET = ("method", "variants", "task", "seed", "sheet")
_RECORD = ("predictions_sha256", "numerics", "data", "partitions", "synthetic", "leaks", "stages")
_WHERE = ("isolation", "hardware", "versions", "costs")


def files(board: Leaderboard, source: ResultSource | None) -> Iterator[File]:  # noqa: ARG001
    """`leaderboard.json`."""
    yield "leaderboard.json", json_pieces(board)


def json_pieces(board: Leaderboard) -> Iterator[bytes]:
    """The JSON text bit by bit, for a file: that of 2,000 rows has 200 MB.

    The same board gives the same text. Scores are fractions, null: undefined.
    """
    settings = msgspec.to_builtins(board.settings)
    del settings["templates"]
    head = {
        "schema": SCHEMA,
        "title": report_title(board),
        "complete": not board.holes,
        "missing": missing(board.holes, board.n_runs) if board.holes else None,
        "alarms": board.alarms,
        "truth_alarms": board.truth_alarms,
        "submissions": [
            {
                "id": submitted.id,
                **{name: getattr(submitted.submission, name) for name in _SUBMISSION},
                "changed": submitted.changed,
            }
            for submitted in board.submissions
        ],
        "n_cells": board.n_runs,
        "settings": settings,
    }
    foot = {
        "holes": [{name: getattr(hole, name) for name in _HOLE} for hole in board.holes],
        "not_applicable": board.not_applicable,
        "synthetic_sets": [{name: getattr(s, name) for name in _SET} for s in board.sheets],
    }
    tables = (_table(board, table) for table in board.tables)
    yield from _object(head, {"tables": _joined(tables)}, foot)
    yield b"\n"


def _object(
    head: dict[str, Any], lists: Mapping[str, Iterable[bytes]], foot: dict[str, Any]
) -> Iterator[bytes]:
    """One object: members, then members that are lists and come bit by bit, then members."""
    yield msgspec.json.encode(head)[:-1]
    for name, pieces in lists.items():
        yield f',"{name}":['.encode()
        yield from pieces
        yield b"]"
    yield b"," + msgspec.json.encode(foot)[1:]


def _joined(items: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    """Items of a list with commas between them."""
    for i, pieces in enumerate(items):
        if i:
            yield b","
        yield from pieces


def _table(board: Leaderboard, table: LeaderboardTable) -> Iterator[bytes]:
    selection, axis, metric = table.ranked
    ranking = table.ranking
    about = {
        "task": table.task,
        "question": table.question,
        "answer": answer(board, table),
        "axes": {a.name: a.tones for a in table.axes},
        "metrics": table.metrics,
        "ranked": {
            "selection": selection,
            "axis": axis,
            "metric": metric,
            "by": ranking.by,
            "because": ranking.why,
            "believed": dict(zip(table.tones(axis), ranking.believed, strict=False)),
        },
        "chance": table.chance,
    }
    lists = {
        name: _joined([msgspec.json.encode(_row(row))] for row in rows)
        for name, rows in (("rows", table.rows), ("controls", table.controls))
    }
    yield from _object(about, lists, {"claims": _claims(board.claims_of(table))})


def _claims(claims: Claims | None) -> dict[str, Any] | None:
    """Fractions, as scores are.

    `intervals` and `changes` are the method's, over images and training seeds; `network_…` those of the networks that
    were trained. p-values of changes are corrected for all entries and scores, and an interval of a change is at
    the level that it is tested at; `by_itself` is neither.
    """
    if claims is None:
        return None
    return {
        "positives": claims.positives,
        "without": claims.without,
        "rows": [
            {
                "entry": row.row.entry,
                "tie_group": row.tie_group,
                "intervals": row.intervals,
                "network_intervals": row.network_intervals,
                "seed_spread": row.seed_spread,
                "changes": {
                    score: {
                        "difference": c.paired.difference,
                        "low": c.low,
                        "high": c.high,
                        "p": c.p,
                        "by_itself": {n: getattr(c.paired, n) for n in ("low", "high", "p")},
                    }
                    for score, c in row.changes.items()
                },
                "network_changes": row.network_changes,
                "null_gap": row.parity,
                "nulls": nulls_listed(row),
                "minimum_detectable_difference": attainable(row.minimum_detectable_difference),
            }
            for row in claims.rows
        ],
        **({"tone_labels": claims.labels} if claims.labels else {}),
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "entry": row.entry,
        "label": row.entry.label,
        "rank": row.rank,
        "unranked": row.unranked,
        "shrunken": row.shrunken,
        "marks": row.marks,
        "seeds": [_seed(seed) for seed in row.seeds],
        "scores": [
            {"selection": selection, "axis": axis, "metric": metric, **_view(view)}
            for (selection, axis, metric), view in row.views.items()
        ],
    }


def _view(view: View) -> dict[str, Any]:
    scores, change = view.scores, view.comparison
    return {
        "all": _mean(scores.overall),
        "tones": [_mean(tone) for tone in scores.tones],
        "worst": scores.worst and _mean(scores.worst),
        "worst_at": scores.worst_at,
        "gap": scores.gap and _mean(scores.gap),
        "change_from_reference": change
        and {
            "all": _difference(change.overall),
            "worst": change.worst and _difference(change.worst),
            "gap": change.gap and _difference(change.gap),
        },
        "under_test_oracle": _difference(view.under_test_oracle),
        "cross_fitted_gain": _mean(view.cross_fitted),
    }


def _mean(mean: Mean) -> dict[str, Any]:
    return {
        "mean": mean.value,
        "by_seed": mean.values,
        "n": [mean.n_low, mean.n_high],
        "reason": mean.reason,
    }


def _difference(difference: Difference) -> dict[str, Any]:
    return {"mean": difference.value, "by_seed": difference.values, "reason": difference.reason}


def _seed(result: SeedResult) -> dict[str, Any]:
    repeats = result.repeats
    return {
        "seed": result.seed,
        "key": result.key,
        "missing": result.hole.cause if result.hole else None,
        "evidence": _evidence(result.record) if result.record else None,
        "repeats": repeats
        and {
            "n": repeats.n,
            "identical": repeats.are_identical,
            "scores": repeats.scores,
            "spread": {name: standard_deviation(values) for name, values in repeats.scores.items()},
        },
    }


def _evidence(record: Record) -> dict[str, Any]:
    return {
        **{name: getattr(record, name) for name in _RECORD},
        **({"bank": record.bank} if record.bank else {}),
        "epochs": {name: selected.epoch for name, selected in record.scores.items()},
        "thresholds": {name: selected.threshold for name, selected in record.scores.items()},
        **{name: getattr(record.circumstances, name) for name in _WHERE},
    }
