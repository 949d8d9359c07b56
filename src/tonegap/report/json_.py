"""A leaderboard as JSON, with the evidence behind each seed (keys, digests, isolation, costs)."""

from typing import Any

import msgspec

from tonegap.report.claims import Claims
from tonegap.report.model import Difference, Leaderboard, Mean, Row, SeedResult, Table, View
from tonegap.report.quality import SetSheet
from tonegap.report.words import answer, missing, report_title
from tonegap.run.record import Record

SCHEMA = "tonegap/leaderboard@1"


def render_json(board: Leaderboard) -> str:
    """The JSON text; the same board gives the same text. Scores are fractions, null: undefined."""
    return msgspec.json.encode(_document(board)).decode() + "\n"


def _document(board: Leaderboard) -> dict[str, Any]:
    settings = msgspec.to_builtins(board.settings)
    del settings["templates"]
    return {
        "schema": SCHEMA,
        "title": report_title(board),
        "complete": not board.holes,
        "missing": missing(board.holes, board.n_cells) if board.holes else None,
        "alarms": board.alarms,
        "n_cells": board.n_cells,
        "settings": settings,
        "tables": [_table(board, table) for table in board.tables],
        "holes": [
            {"entry": h.entry, "task": h.task, "seed": h.seed, "cause": h.cause, "text": h.text}
            for h in board.holes
        ],
        "not_applicable": board.not_applicable,
        "synthetic_sets": [_set(made) for made in board.sheets],
    }


def _set(made: SetSheet) -> dict[str, Any]:
    return {
        "method": made.method,
        "variants": made.variants,
        "task": made.task,
        "seed": made.seed,
        "sheet": made.sheet,
    }


def _table(board: Leaderboard, table: Table) -> dict[str, Any]:
    selection, axis, metric = table.ranked
    return {
        "task": table.task,
        "question": table.question,
        "answer": answer(board, table),
        "axes": {a.name: a.tones for a in table.axes},
        "metrics": table.metrics,
        "ranked": {"selection": selection, "axis": axis, "metric": metric},
        "chance": table.chance,
        # Encoded one by one: the values of 2,000 rows as Python objects would need a gigabyte.
        "rows": [msgspec.Raw(msgspec.json.encode(_row(row))) for row in table.rows],
        "controls": [msgspec.Raw(msgspec.json.encode(_row(row))) for row in table.controls],
        "claims": _claims(board.claims_of(table)),
    }


def _claims(claims: Claims | None) -> dict[str, Any] | None:
    """Fractions, as scores are; p-values of changes are corrected for all entries."""
    if claims is None:
        return None
    return {
        "positives": claims.positives,
        "without": claims.without,
        "rows": [
            {
                "entry": row.row.entry,
                "band": row.band,
                "intervals": row.intervals,
                "changes": row.changes,
                "gap_of_dealt_tones": row.parity,
                "detectable": row.detectable,
            }
            for row in claims.rows
        ],
    }


def _row(row: Row) -> dict[str, Any]:
    return {
        "entry": row.entry,
        "label": row.entry.label,
        "rank": row.rank,
        "unranked": row.unranked,
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
            "levelling_down": change.levelling_down,
        },
        "oracle_minus_validation": _difference(view.oracle_minus_validation),
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
    evidence = _evidence(result.record) if result.record else None
    cause = result.hole.cause if result.hole else None
    return {"seed": result.seed, "key": result.key, "missing": cause, "evidence": evidence}


def _evidence(record: Record) -> dict[str, Any]:
    where = record.circumstances
    return {
        "predictions_sha256": record.predictions_sha256,
        "data": record.data,
        "partitions": record.partitions,
        "synthetic": record.synthetic,
        "leaks": record.leaks,
        "stages": record.stages,
        "epochs": {name: selected.epoch for name, selected in record.scores.items()},
        "thresholds": {name: selected.threshold for name, selected in record.scores.items()},
        "isolation": where.isolation,
        "hardware": where.hardware,
        "versions": where.versions,
        "costs": where.costs,
    }
