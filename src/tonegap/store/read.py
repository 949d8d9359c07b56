"""Matrices and records of a store as runs.

The mistake it exists to prevent: a damaged or misfiled record that silently becomes a hole, or
another run's score.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from tonegap.errors import BadRequest, StoreError
from tonegap.formats.matrix import Failure, Matrix, RunId, RunOutcome
from tonegap.formats.record import SCHEMA, Record, ScoreColumns, Selected
from tonegap.lines import did_you_mean
from tonegap.store.layout import SUITES, failure_unit, record_unit, suite_unit
from tonegap.store.repeats import read_repeats
from tonegap.store.seals import read_sealed

S = TypeVar("S", bound=msgspec.Struct)
T = TypeVar("T")
_Pool = dict[Any, Any]


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """A declared matrix and what was found for each of its runs."""

    matrix: Matrix
    runs: tuple[RunOutcome, ...]


def read_suites(store: Path, names: Sequence[str] = ()) -> tuple[SuiteRun, ...]:
    """The named suites of a store, or all of them by name if none is named.

    Raises BadRequest if a name is unknown or nothing has run here; StoreError naming the file that
    cannot be read, is damaged, or holds another run than its name says.
    """
    known = sorted(path.stem for path in (store / SUITES).glob("[!.]*.json"))
    if not known:
        raise BadRequest(f"{store}: no suite has run here; run `tonegap run` first")
    for name in names:
        if name not in known:
            listed = ", ".join(known)
            near = did_you_mean(name, known)
            raise BadRequest(f"{store}: no suite {name!r} has run here{near}; there are: {listed}")
    pool: _Pool = {}
    found = []
    for name in dict.fromkeys(names or known):
        path, content = store / suite_unit(name), read_sealed(store, suite_unit(name))
        if content is None:
            raise StoreError(f"{path}: gone while it was read; run the same command again")
        matrix = _decode(content, Matrix, path)
        found.append(SuiteRun(matrix, tuple(_read_run(store, c, pool) for c in matrix.runs)))
    return tuple(found)


def merge_suites(suites: Sequence[SuiteRun]) -> tuple[RunOutcome, ...]:
    """The runs of all suites together, a run of several suites once.

    Where suites ask the same entry, task and seed with different content, each keeps its own
    under a variant `suite NAME`: one name for two things is what a table must not have.
    """
    keys = {(_place(run), run.id.key) for suite in suites for run in suite.runs}
    several = Counter(place for place, _ in keys)
    # All seeds of such an entry move together, or its mean would be split.
    twice = {(task, entry) for (task, entry, _), n in several.items() if n > 1}
    found: dict[object, RunOutcome] = {}
    for suite in suites:
        for run in suite.runs:
            kept = run
            if (run.id.task, run.id.entry) in twice:
                named = f"suite {suite.matrix.suite}"
                variant = ", ".join(filter(None, (run.id.entry.variant, named)))
                entry = msgspec.structs.replace(run.id.entry, variant=variant)
                kept = msgspec.structs.replace(run, id=msgspec.structs.replace(run.id, entry=entry))
            found.setdefault(_place(kept), kept)
    return tuple(found.values())


def _place(run: RunOutcome) -> tuple[str, object, int]:
    return run.id.task, run.id.entry, run.id.seed


def _read_run(store: Path, run: RunId, pool: _Pool) -> RunOutcome:
    path = store / record_unit(run.key)
    content = read_sealed(store, record_unit(run.key))
    if content is not None:
        record = _decode(content, Record, path)
        _check(record, run, path)
        repeats = read_repeats(store, run.key)
        return RunOutcome(run, _pooled(record, pool), None, repeats=repeats)
    path = store / failure_unit(run.key)
    content = read_sealed(store, failure_unit(run.key))
    return RunOutcome(run, None, None if content is None else _decode(content, Failure, path))


def _check(record: Record, run: RunId, path: Path) -> None:
    if record.schema != SCHEMA:
        raise StoreError(
            f"{path}: found schema {record.schema!r}, wanted {SCHEMA!r}; remove it and run again"
        )
    if (record.entry, record.task, record.seed) != (run.entry, run.task, run.seed):
        raise StoreError(
            f"{path}: is the record of {record.entry.label}, {record.task}, seed {record.seed}, "
            f"not of {run.entry.label}, {run.task}, seed {run.seed}; remove it and run again"
        )


def _decode(content: bytes, kind: type[S], path: Path) -> S:
    try:
        return msgspec.json.decode(content, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise StoreError(f"{path}: damaged ({e}); remove it and run again") from None


def _pooled(record: Record, pool: _Pool) -> Record:
    """The record sharing with others what most have in common: 10,000 of them need a tenth."""

    def columns(table: ScoreColumns) -> ScoreColumns:
        return ScoreColumns(
            metric=_share(table.metric, pool),
            tone=_share(table.tone, pool),
            value=table.value,
            n=_share(table.n, pool),
            reason=_share(table.reason, pool),
        )

    scores = {
        name: Selected(
            epoch=s.epoch,
            threshold=s.threshold,
            tables={axis: columns(table) for axis, table in s.tables.items()},
        )
        for name, s in record.scores.items()
    }
    return msgspec.structs.replace(record, scores=scores)


def _share(value: T, pool: _Pool) -> T:
    shared: T = pool.setdefault(value, value)
    return shared
