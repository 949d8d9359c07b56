"""Turns records into the runs of an experiment tracker: parameters, metrics and tags as it takes them.

The mistake it exists to prevent: an undefined score that reaches a tracker as 0, or is missing there
without a word.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from tonegap.files import sha256_bytes
from tonegap.formats.job import Parameter
from tonegap.formats.record import Record, Selected
from tonegap.scores.tables import ALL
from tonegap.store.read import SuiteRun

KEY_TAG = "tonegap.key"
_MAX_VALUE = 6000  # of a parameter, in MLflow
_NAMES = {ALL: "overall"}


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """One record as a run. `key` is its run's; `finished_ms` since 1970, None if unknown."""

    key: str
    name: str
    params: Mapping[str, str]
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    finished_ms: int | None
    seconds: float


def tracked_runs(suite: SuiteRun, metrics: Sequence[str], rule: str) -> tuple[TrackedRun, ...]:
    """The suite's records as runs, in its order, with these metrics of the epoch that a rule picked."""
    found = []
    for key, record in ((run.id.key, run.record) for run in suite.runs):
        if record is None:
            continue
        selected, finished = record.scores.get(rule), record.circumstances.finished
        values, undefined = _scores(selected, metrics) if selected else ({}, {})
        found.append(
            TrackedRun(
                key=key,
                name=f"{record.entry.label}, {record.task}, seed {record.seed}",
                params=dict(_params(record, rule)),
                metrics=values,
                tags={KEY_TAG: key, **_tags(record, selected), **undefined},
                finished_ms=round(datetime.fromisoformat(finished).timestamp() * 1000)
                if finished
                else None,
                seconds=record.circumstances.seconds,
            )
        )
    return tuple(found)


def _params(record: Record, rule: str) -> Iterator[tuple[str, str]]:
    entry = record.entry
    yield from entry.plugins.items()
    yield from (("backbone", entry.backbone), ("variant", entry.variant))
    yield from (("task", record.task), ("seed", str(record.seed)), ("selection", rule))
    for kind, values in record.plugin_parameters.items():
        yield from ((f"{kind}.{name}", _value(v)) for name, v in sorted(values.items()))


def _value(value: Parameter) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    if len(text) <= _MAX_VALUE:
        return text
    return f"{len(text):,} characters, sha256 {sha256_bytes(text.encode())}"


def _scores(selected: Selected, metrics: Sequence[str]) -> tuple[dict[str, float], dict[str, str]]:
    """Values by `METRIC/overall` and `METRIC/AXIS/TONE`, and tags with the reasons of those that are undefined."""
    values: dict[str, float] = {}
    undefined: dict[str, str] = {}
    for axis, table in sorted(selected.tables.items()):
        rows = zip(table.metric, table.tone, table.value, table.reason, strict=True)
        for metric, tone, value, reason in rows:
            if metric not in metrics:
                continue
            name = f"{metric}/{_NAMES[tone]}" if tone in _NAMES else f"{metric}/{axis}/{tone}"
            if value is None:
                undefined[f"undefined/{name}"] = reason or "no reason given"
            else:
                values[name] = value
    return values, undefined


def _tags(record: Record, selected: Selected | None) -> dict[str, str]:
    data, isolation = record.data, record.circumstances.isolation
    found = {
        "schema": record.schema,
        "version": record.circumstances.versions.get("tonegap", ""),
        "control": _value(record.control),
        "epoch": "" if selected is None else str(selected.epoch),
        "data_set": data.data_set,
        "stand_in": _value(data.stand_in),
        "drawn": _value(data.drawn),
        "subset": "" if data.subset is None else str(data.subset),
        "exclusions": ";".join(f"{e.name} {e.sha256}" for e in data.exclusions),
        "metadata_sha256": data.metadata_sha256,
        "images_sha256": data.images_sha256,
        "truth_sha256": record.truth_sha256,
        "predictions_sha256": record.predictions_sha256,
        "synthetic_sha256": record.synthetic.sha256 if record.synthetic else "",
        "engine": isolation.engine,
        "contained": _value(isolation.contained),
        **{f"{name}_ids_sha256": part.sha256 for name, part in record.partitions.items()},
        **{f"stage.{stage.stage}": stage.key for stage in record.stages},
    }
    return {f"tonegap.{name}": value for name, value in found.items() if value}
