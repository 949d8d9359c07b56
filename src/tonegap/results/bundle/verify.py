"""Every number of a bundle computed again from its predictions and truth; what differs is named.

What it cannot tell: whether the predictions come from the classifier that the record names. That takes the
data and a run. Nor can it tell what only the record says: where the stages ran, with which parameters, how long.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tonegap.errors import BadRequest, StoreError, ToneGapError
from tonegap.files import digest_of, sha256_file, sha256_lines
from tonegap.formats.lineage import FILE as LINEAGE
from tonegap.formats.matrix import Cell, Completeness, Matrix, completeness
from tonegap.formats.record import CrossFit, Record, ScoreColumns, Selected
from tonegap.formats.truth import PartTruth, TaskTruth, decode_truth
from tonegap.lines import one_line
from tonegap.results.bundle.archive import changed_files, extract, memory_for
from tonegap.results.bundle.marks import mark_problems
from tonegap.results.bundle.specs import spec_problems
from tonegap.run.outputs import find_predictions
from tonegap.scores.results import results_of, rules_of
from tonegap.store.layout import stage_unit, suite_unit, truth_unit
from tonegap.store.read import SuiteRun, read_suites
from tonegap.synthetic.manifest import read_synthetic
from tonegap.untrusted import DAMAGE, bounded_memory, reason, refused

_SAME = 1e-12
_SHOWN = 3
_KEY = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked, and each thing that is not as the bundle says, one sentence each."""

    n_records: int
    n_scores: int
    completeness: Completeness
    problems: tuple[str, ...]


def verify_folder(store: Path, suite: str) -> Checked:
    """Checks a bundle's records in a folder laid out as a store. A bundle without any record is a problem.

    Raises ToneGapError where a file cannot be read as what it is, or a cell names a file outside of the folder.
    """
    run = read_bundled(store, suite)
    records = [cell.record for cell in run.cells if cell.record]
    problems = [problem for cell in run.cells for problem in _cell_problems(store, cell)]
    if not records:
        problems.append("no run has a record, so there is nothing to check")
    return Checked(
        n_records=len(records),
        n_scores=sum(_n_scores(record) for record in records),
        completeness=completeness(run.cells),
        problems=tuple(one_line(problem) for problem in problems),
    )


def verified_bundle(path: Path, folder: Path) -> SuiteRun:
    """The suite of a bundle, put into an empty folder, with every number computed again.

    Raises BadRequest for what is no bundle, a damaged one, or one whose numbers are not those of its predictions.
    """
    with refused(str(path)), bounded_memory(memory_for(path)):
        manifest = extract(path, folder)
        problems = (
            *changed_files(manifest, folder),
            *verify_folder(folder, manifest.suite).problems,
        )
    if problems:
        more = f" and {len(problems) - 1} more problems" if len(problems) > 1 else ""
        raise BadRequest(f"{path}: does not verify: {problems[0]}{more}; see `tonegap verify`")
    return read_bundled(folder, manifest.suite)


def read_bundled(store: Path, suite: str) -> SuiteRun:
    """The matrix and records of an extracted bundle, once it is known that its keys are keys, not paths.

    Raises ToneGapError for a file that is damaged or not what it should be.
    """
    with refused(suite_unit(one_line(suite)[:80])):
        path = store / suite_unit(suite)
        if Path(suite).name != suite or not path.is_file():
            raise BadRequest(
                f"{suite_unit(one_line(suite)[:80])}: missing; the bundle says that it is its suite"
            )
        matrix = msgspec.json.decode(path.read_bytes(), type=Matrix)
        keys = [cell.key for cell in matrix.cells]
        for key in (*keys, *matrix.sheets.keys(), *matrix.sheets.values()):
            if not _KEY.fullmatch(key):
                raise BadRequest(f"{suite_unit(suite)}: {key[:80]!a} is no key of a run or stage")
        if len(set(keys)) < len(keys) or matrix.suite != suite:
            raise BadRequest(f"{suite_unit(suite)}: names a run twice, or another suite")
        try:
            (run,) = read_suites(store, [suite])
        except StoreError as e:
            text = str(e).replace(f"{store}/", "").removesuffix("; remove it and run again")
            raise BadRequest(f"{text}; it does not verify") from None
        return run


def _n_scores(record: Record) -> int:
    return sum(len(t.value) for s in record.scores.values() for t in s.tables.values())


def _cell_problems(store: Path, cell: Cell) -> Iterator[str]:
    if cell.record is None:
        return
    where = f"{cell.id.entry.label}, {cell.id.task}, seed {cell.id.seed}"
    try:
        for problem in (
            *spec_problems(store, cell.id, cell.record),
            *_record_problems(store, cell.record),
        ):
            yield f"{where}: {problem}"
    except ToneGapError as e:
        yield f"{where}: {str(e).replace(f'{store}/', '')}"
    except DAMAGE as e:
        yield f"{where}: cannot be computed again ({reason(e)})"


def _record_problems(store: Path, record: Record) -> Iterator[str]:
    sha256 = record.truth_sha256
    keys = [stage.key for stage in record.stages]
    if not keys or not all(_KEY.fullmatch(key) for key in (sha256, *keys)):
        yield "names no stage, or a stage or truth by what is no key"
        return
    yield from mark_problems(store, record)
    path = store / truth_unit(sha256)
    truth = decode_truth(path.read_bytes(), sha256, truth_unit(sha256))
    predictions = find_predictions(_stage(store, keys[-1]))
    found = sha256_file(predictions)
    if found != record.predictions_sha256:
        yield (
            f"the predictions have sha256 {found[:12]}…, the record was made from "
            f"{record.predictions_sha256[:12]}…"
        )
    yield from _partition_problems(record, truth)
    yield from _synthetic_problems(store, record)
    results = results_of(predictions, truth, rules_of(record))
    for rule in record.scores.keys() - results.scores.keys():
        yield f"scores under {rule}, which is no rule"
    for rule, selected in results.scores.items():
        yield from _selected_problems(rule, record.scores.get(rule), selected)
    if results.curve != record.curve:
        yield "the curve over epochs is another"
    if record.cross_fit and results.cross_fit:
        yield from _cross_fit_problems(record.cross_fit, results.cross_fit)


def _stage(store: Path, key: str) -> Path:
    return store / stage_unit(key)


def _partition_problems(record: Record, truth: TaskTruth) -> Iterator[str]:
    parts: dict[str, PartTruth] = {"validation": truth.validation, "test": truth.test}
    for name, part in parts.items():
        said = record.partitions.get(name)
        if said is None or sha256_lines(sorted(part.ids)) != said.sha256:
            yield f"the truth has other {name} images than the record's partition"
        elif said.n != len(part.ids) or not _same_counts(said.n_by_tone, _by_tone(part.tones)):
            yield f"the record counts the {name} images otherwise than the truth does"


def _by_tone(tones: Iterable[str | None]) -> Counter[str]:
    return Counter(tone or "unknown" for tone in tones)


def _same_counts(said: Mapping[str, int], found: Mapping[str, int]) -> bool:
    """Whether two counts agree; one of nothing may be left out."""
    return all(said.get(tone, 0) == found.get(tone, 0) for tone in {*said, *found})


def _synthetic_problems(store: Path, record: Record) -> Iterator[str]:
    """What the record says of its synthetic images otherwise than the stage's own list, which the bundle has."""
    made = [stage for stage in record.stages if stage.stage == "generate"]
    if bool(made) != bool(record.synthetic):
        yield "names synthetic images without the stage that made them, or the stage without them"
    if not made or record.synthetic is None:
        return
    folder = _stage(store, made[-1].key)
    rows = read_synthetic(folder)
    digest = digest_of([sha256_file(folder / name) for name in ("synthetic.csv", LINEAGE)])
    if record.synthetic.sha256 != digest:
        yield "the synthetic images that its stage lists have another digest than the record says"
    by_tone = _by_tone(row.tone for row in rows)
    if record.synthetic.n != len(rows) or not _same_counts(record.synthetic.n_by_tone, by_tone):
        yield "the record counts the synthetic images otherwise than its stage lists them"


def _selected_problems(rule: str, said: Selected | None, found: Selected) -> Iterator[str]:
    if said is None:
        yield f"no scores under {rule}"
        return
    if (said.epoch, said.threshold) != (found.epoch, found.threshold):
        yield (
            f"{rule} picks epoch {found.epoch} (threshold {found.threshold}), the record says "
            f"{said.epoch} ({said.threshold})"
        )
    if found.tables.keys() != said.tables.keys():
        yield f"{rule}: scores on other tone axes than {', '.join(found.tables)}"
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
    names = (found.metric, found.tone)
    if said is None or (said.metric, said.tone) != names or len(said.value) != len(found.value):
        yield "the record has another list of scores"
        return
    rows = zip(found.metric, found.tone, found.value, said.value, strict=True)
    for metric, tone, computed, written in rows:
        if not _same(computed, written):
            yield f"{metric} of {tone} is {_text(written)}, computed {_text(computed)}"
    if found.n != said.n:
        yield "the counts of images differ"
    if found.reason != said.reason:
        yield "the reasons of undefined scores differ"


def _same(a: float | None, b: float | None) -> bool:
    return a == b if a is None or b is None else abs(a - b) <= _SAME


def _text(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.6f}"
