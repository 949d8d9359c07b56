"""Every number of a bundle computed again from its predictions and truth; what differs is named.

What it cannot tell: whether the predictions come from the classifier that the record names. That takes the
data and a run.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tonegap.errors import ToneGapError
from tonegap.files import sha256_file, sha256_lines
from tonegap.report.read import read_suites
from tonegap.run.matrix import Cell, Completeness, completeness
from tonegap.run.outputs import find_predictions
from tonegap.run.record import CrossFit, Record, ScoreColumns, Selected
from tonegap.run.results import results_of, rules_of
from tonegap.run.truth import PartTruth, Truth, decode_truth

_SAME = 1e-12
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked, and each thing that is not as the bundle says, one sentence each."""

    n_records: int
    n_scores: int
    completeness: Completeness
    problems: tuple[str, ...]


def verify_folder(store: Path, suite: str) -> Checked:
    """Checks a bundle's records in a folder laid out as a store.

    Raises ToneGapError where a file cannot be read as what it is.
    """
    (run,) = read_suites(store, [suite])
    records = [cell.record for cell in run.cells if cell.record]
    problems = [problem for cell in run.cells for problem in _cell_problems(store, cell)]
    return Checked(
        n_records=len(records),
        n_scores=sum(_n_scores(record) for record in records),
        completeness=completeness(run.cells),
        problems=tuple(problems),
    )


def _n_scores(record: Record) -> int:
    return sum(len(t.value) for s in record.scores.values() for t in s.tables.values())


def _cell_problems(store: Path, cell: Cell) -> Iterator[str]:
    if cell.record is None:
        return
    where = f"{cell.id.entry.label}, {cell.id.task}, seed {cell.id.seed}"
    try:
        for problem in _record_problems(store, cell.record):
            yield f"{where}: {problem}"
    except (ToneGapError, OSError) as e:
        yield f"{where}: {e}"


def _record_problems(store: Path, record: Record) -> Iterator[str]:
    sha256, key = record.truth_sha256, record.stages[-1].key
    path = store / "truth" / f"{sha256}.csv"
    truth = decode_truth(path.read_bytes(), sha256, f"truth/{path.name}")
    predictions = find_predictions(store / "stages" / key[:2] / key)
    found = sha256_file(predictions)
    if found != record.predictions_sha256:
        yield (
            f"the predictions have sha256 {found[:12]}…, the record was made from "
            f"{record.predictions_sha256[:12]}…"
        )
    yield from _partition_problems(record, truth)
    results = results_of(predictions, truth, rules_of(record))
    for rule, selected in results.scores.items():
        yield from _selected_problems(rule, record.scores.get(rule), selected)
    if results.curve != record.curve:
        yield "the curve over epochs is another"
    if record.cross_fit and results.cross_fit:
        yield from _cross_fit_problems(record.cross_fit, results.cross_fit)


def _partition_problems(record: Record, truth: Truth) -> Iterator[str]:
    parts: dict[str, PartTruth] = {"validation": truth.validation, "test": truth.test}
    for name, part in parts.items():
        found = sha256_lines(sorted(part.ids))
        if name not in record.partitions or found != record.partitions[name].sha256:
            yield f"the truth has other {name} images than the record's partition"


def _selected_problems(rule: str, said: Selected | None, found: Selected) -> Iterator[str]:
    if said is None:
        yield f"no scores under {rule}"
        return
    if (said.epoch, said.threshold) != (found.epoch, found.threshold):
        yield (
            f"{rule} picks epoch {found.epoch} (threshold {found.threshold}), the record says "
            f"{said.epoch} ({said.threshold})"
        )
    differing = [
        text
        for axis, table in found.tables.items()
        for text in _score_problems(table, said.tables.get(axis))
    ]
    if differing:
        more = f" and {len(differing) - _SHOWN} more scores" if len(differing) > _SHOWN else ""
        yield f"{rule}: {'; '.join(differing[:_SHOWN])}{more}"


def _cross_fit_problems(said: CrossFit, found: CrossFit) -> Iterator[str]:
    if (said.epochs, said.n) != (found.epochs, found.n):
        yield "the cross-fitted gain is of other halves or epochs"
    for axis, table in found.gains.items():
        for text in _score_problems(table, said.gains.get(axis)):
            yield f"cross-fitted gain: {text}"


def _score_problems(found: ScoreColumns, said: ScoreColumns | None) -> Iterator[str]:
    if said is None or (said.metric, said.tone) != (found.metric, found.tone):
        yield "the record has another list of scores"
        return
    rows = zip(found.metric, found.tone, found.value, said.value, strict=True)
    for metric, tone, computed, written in rows:
        if not _same(computed, written):
            yield f"{metric} of {tone} is {_text(written)}, computed {_text(computed)}"
    if found.n != said.n:
        yield "the counts of images differ"


def _same(a: float | None, b: float | None) -> bool:
    return a == b if a is None or b is None else abs(a - b) <= _SAME


def _text(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6f}"
