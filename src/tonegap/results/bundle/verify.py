"""Every number of a bundle computed again from its predictions and truth; what differs is named.

What it cannot tell: whether the predictions come from the classifier that the record names. That takes the
data and a run. Nor can it tell what only the record says: where the stages ran, how long. A stage's key is the digest
of its ingredients (`stage.json`), so a record's seed, parameters and plug-ins must be what its stages were made from.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tonegap.declared.dataset import BENCHMARKS, DATASET_FILE
from tonegap.declared.exposure import SeenBy, own_exposure, read_exposure
from tonegap.declared.plugin import FOLDERS, PLUGIN_ID
from tonegap.declared.task import read_task, task_ids
from tonegap.declared.toml import read_toml
from tonegap.errors import BadRequest, StoreError, ToneGapError
from tonegap.files import digest_of, sha256_file, sha256_lines
from tonegap.formats.job import DEVICES
from tonegap.formats.lineage import FILE as LINEAGE
from tonegap.formats.lineage import UNKNOWN_SOURCE, read_lineage
from tonegap.formats.matrix import Completeness, Matrix, RunId, RunOutcome, completeness
from tonegap.formats.record import CrossFit, Record, ScoreColumns, Selected, StageId
from tonegap.formats.truth import PartTruth, TaskTruth, decode_truth
from tonegap.lines import one_line
from tonegap.results.bundle.archive import Manifest, changed_files, extract, memory_for
from tonegap.results.bundle.exposure import (
    exposure_problems,
    half_problems,
    parameters_by_label,
)
from tonegap.run.outputs import find_predictions
from tonegap.scores.results import results_of, rules_of
from tonegap.store.layout import stage_unit, suite_unit, truth_unit
from tonegap.store.marks import StageMark
from tonegap.store.read import SuiteRun, read_suites
from tonegap.synthetic.findings import is_unknown
from tonegap.synthetic.manifest import read_synthetic
from tonegap.untrusted import DAMAGE, bounded_memory, reason, refused

_SAME = 1e-12
_SHOWN = 3
_LONGEST = 80
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
    tables = [t for r in records for s in r.scores.values() for t in s.tables.values()]
    return Checked(
        n_records=len(records),
        n_scores=sum(len(table.value) for table in tables),
        completeness=completeness(run.cells),
        problems=tuple(one_line(problem) for problem in problems),
    )


def open_bundle(path: Path, folder: Path) -> tuple[Manifest, tuple[str, ...]]:
    """Extracts a bundle into an empty folder; what it says of itself, and every problem of it, one sentence each.

    Raises BadRequest for what is no bundle, ToneGapError where a file in it is damaged.
    """
    manifest = extract(path, folder)
    changed = changed_files(manifest, folder)
    return manifest, (*changed, *verify_folder(folder, manifest.suite).problems)


def verified_bundle(path: Path, folder: Path) -> SuiteRun:
    """The suite of a bundle, put into an empty folder, with every number computed again.

    Raises BadRequest for what is no bundle, a damaged one, or one whose numbers are not those of its predictions.
    """
    with refused(str(path)), bounded_memory(memory_for(path)):
        manifest, problems = open_bundle(path, folder)
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


class PluginClaims(msgspec.Struct):
    """The keys of a plug-in's file that decide a mark; others may be those of another version."""

    control: bool = False
    needs: tuple[str, ...] = ()
    made_from: str = ""
    on: str = "images"
    exposure: dict[str, SeenBy] = {}


class DataClaims(msgspec.Struct):
    """The key of a data set's file that decides a mark: whether its images are phantoms."""

    drawn: dict[str, Any] | None = None


def data_problems(record: Record, found: DataClaims, *, here: bool) -> Iterator[str]:
    """What a data set's file, of the suite root (`here`) or of the bundle itself, has against a record's marks."""
    if record.data.drawn != (found.drawn is not None):
        claim = "no phantoms" if found.drawn is not None else "phantoms"
        which = "here" if here else "that came along"
        yield f"says that its images are {claim}, and {record.data.data_set}/dataset.toml {which} says otherwise"


def claim_problems(
    cell: RunId, record: Record, found: Mapping[str, PluginClaims | None], *, here: bool
) -> Iterator[str]:
    """What matrix and plug-ins have against a record's marks; nothing of a plug-in that is None.

    `found`: the plug-ins of the entry by label, those of the suite root (`here`) or of the bundle itself.
    """
    said = {label: file for label, file in found.items() if file is not None}
    trained = f"{FOLDERS['baseline']}/{record.entry.baseline}"
    if not record.bank and trained in said and said[trained].on == "features":
        by = f"{trained} here" if here else f"the file of {trained} that came along"
        yield f"names no bank of features, and {by} says that it trains on one"
    if cell.control != record.control:
        yield "the matrix and the record differ about whether it is a control"
    controls = [label for label, file in said.items() if file.control]
    if controls and not record.control:
        one = controls[0]
        is_one = "is one here" if here else "that came along says that it is one"
        yield f"says that it is no control, and {'' if here else 'the file of '}{one} {is_one}"
    if record.control and not controls and len(said) == len(found):
        by = "here" if here else "by the files that came along"
        yield f"says that it is a control, and neither {' nor '.join(said)} is one {by}"
    seers = [one for one in found if not one.startswith(f"{FOLDERS['method']}/")]
    told = [one for one in seers if one in said and "tone_at_test" in said[one].needs]
    known = told or all(one in said for one in seers)
    if seers and known and record.tone_at_test != bool(told):
        label = (told or seers)[0]
        which = f"{label} here" if here else f"the file of {label} that came along"
        yield f"says otherwise than {which} whether it is told the tone of test images"


def _spec_problems(store: Path, cell: RunId, record: Record) -> Iterator[str]:
    """What the bundle's own files of plug-ins have against a record. Raises BadSuiteFolder for one that is none."""
    found: dict[str, PluginClaims | None] = {}
    for kind, name in record.plugins.items():
        path = store / "specs" / FOLDERS[kind] / name / f"{kind}.toml"
        there = PLUGIN_ID.fullmatch(name) and path.is_file()
        found[f"{FOLDERS[kind]}/{name}"] = read_toml(path, PluginClaims) if there else None
    own = {
        label: own_exposure(label, file.exposure if file else {}) for label, file in found.items()
    }
    entry = {f"{FOLDERS[kind]}/{name}" for kind, name in record.entry.plugins.items()}
    of_entry = {label: file for label, file in found.items() if label in entry}
    yield from claim_problems(cell, record, of_entry, here=False)
    yield from exposure_problems(record, own, read_exposure(store / "specs"), here=False)
    if record.data.tested and record.task not in task_ids(store / "specs"):
        yield "says which joined data sets it was tested on, and no task came along that says so"
    elif record.data.tested:
        split = read_task(store / "specs", record.task).file.split
        yield from half_problems(record, split, here=False)
    name = record.task.partition("/")[0]
    path = store / "specs" / BENCHMARKS / name / DATASET_FILE
    if PLUGIN_ID.fullmatch(name) and path.is_file():
        yield from data_problems(record, read_toml(path, DataClaims), here=False)


def _cell_problems(store: Path, cell: RunOutcome) -> Iterator[str]:
    if cell.record is None:
        return
    where = f"{cell.id.entry.label}, {cell.id.task}, seed {cell.id.seed}"
    try:
        for problem in (
            *_spec_problems(store, cell.id, cell.record),
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
    yield from _mark_problems(store, record)
    path = store / truth_unit(sha256)
    truth = decode_truth(path.read_bytes(), sha256, truth_unit(sha256))
    predictions = find_predictions(store / stage_unit(keys[-1]))
    found = sha256_file(predictions)
    if found != record.predictions_sha256:
        yield (
            f"the predictions have sha256 {found[:12]}…, the record was made from "
            f"{record.predictions_sha256[:12]}…"
        )
    yield from _partition_problems(record, truth)
    yield from _synthetic_problems(store, record, truth)
    results = results_of(predictions, truth, rules_of(record))
    for rule in record.scores.keys() - results.scores.keys():
        yield f"scores under {rule}, which is no rule"
    for rule, selected in results.scores.items():
        yield from _selected_problems(rule, record.scores.get(rule), selected)
    if results.curve != record.curve:
        yield "the curve over epochs is another"
    if results.cross_fit and record.cross_fit is None:
        yield "does not have the cross-fitted gain, which its predictions give"
    if record.cross_fit and results.cross_fit:
        yield from _cross_fit_problems(record.cross_fit, results.cross_fit)


def _mark_problems(store: Path, record: Record) -> Iterator[str]:
    """What the marks of a record's stages have against it. Raises BadRequest for a mark that is none."""
    parameters = parameters_by_label(record)
    yield from _entry_problems(record)
    upstream, banks = "", list[str]()
    for stage in record.stages:
        mark = _read_mark(store, stage.key)
        if stage.plugin not in parameters:
            yield f"its stage {stage.stage} is of {stage.plugin}, no part of its entry"
            return
        yield from _own_problems(mark, stage)
        made_from = _made_from(record, stage, upstream, banks)
        own = parameters[stage.plugin].items()
        made_from |= {f"parameters.{name}": repr(value) for name, value in own}
        for name, value in made_from.items():
            if mark.ingredients.get(name, "") != value:
                yield f"its stage {stage.stage} was made with another {name} than the record says"
        known = {name for name in mark.ingredients if name.startswith("parameters.")}
        if known - made_from.keys():
            yield f"its stage {stage.stage} has parameters that the record leaves out"
        if stage.stage == "embed":
            banks.append(stage.key)
        else:
            upstream = stage.key
    if mark.isolation != record.circumstances.isolation:
        yield "the record and its last stage differ about how they were isolated"


def _entry_problems(record: Record) -> Iterator[str]:
    """What in a record's parameters and stages is not of its entry."""
    entry = record.entry
    if str(record.baseline_parameters.get("backbone", "")) != entry.backbone:
        yield "its backbone is not that of its parameters"
    if record.bank and record.bank.extractor != entry.backbone:
        yield f"its backbone is {one_line(entry.backbone)[:_LONGEST]!r}, and its bank is of another"
    embeds = {stage.plugin for stage in record.stages if stage.stage == "embed"}
    extractors = {f"{FOLDERS['extractor']}/{record.bank.extractor}"} if record.bank else set()
    if embeds != extractors:
        made, named = (one_line(" and ".join(sorted(of)) or "none") for of in (embeds, extractors))
        yield f"its bank is of {named}, and its stages that leave features are of {made}"
    wanted = ["train", "postprocess"] if entry.postprocessor else ["train"]
    if [stage.stage for stage in record.stages][-len(wanted) :] != wanted:
        yield f"its last stage does not {wanted[-1]}"
    if record.postprocessor_parameters and not entry.postprocessor:
        yield "has parameters of a post-processor, and no post-processor"


def _made_from(record: Record, stage: StageId, upstream: str, banks: list[str]) -> dict[str, str]:
    """What the ingredients of a stage have to say; of embed stages the first is of real images, for every seed."""
    if stage.stage == "embed":
        return {"task": "", "seed": "", "upstream": upstream if banks else ""}
    said = {"task": record.task, "seed": str(record.seed), "upstream": upstream}
    return said | ({"banks": " ".join(banks)} if stage.stage == "train" else {})


def _read_mark(store: Path, key: str) -> StageMark:
    """The mark of a stage in a bundle. Raises BadRequest where there is none that can be read."""
    where = f"{stage_unit(key)}/stage.json"
    with refused(where):
        content = (store / where).read_bytes()
        if len(content) > 1 << 20:
            raise BadRequest(f"{where}: more than 1 MiB")
        return msgspec.json.decode(content, type=StageMark)


def _own_problems(mark: StageMark, stage: StageId) -> Iterator[str]:
    found = mark.ingredients
    if digest_of([f"{mark.plugin} {mark.stage}", found]) != mark.key:
        yield f"the key of its stage {stage.stage} does not follow from what it was made from"
    said = (mark.key, mark.stage, mark.plugin, mark.environment)
    if said != (stage.key, stage.stage, stage.plugin, stage.environment):
        yield f"the mark of its stage {stage.stage} is that of another"
    if found.get("environment", "") != mark.environment:
        yield f"its stage {stage.stage} names two environments"
    device, threads = found.get("device", ""), found.get("threads", "")
    if device not in DEVICES or not (
        threads.isascii() and threads.isdecimal() and len(threads) < 6
    ):
        yield f"its stage {stage.stage} ran on {one_line(device)[:20]!r} with {one_line(threads)[:20]!r} threads"


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


class _TaskClaims(msgspec.Struct):
    """The part of a task's file that says whether methods see copies of held-out images, as published."""

    leaks: dict[str, bool] = {}


def _shows_copies(store: Path, task: str) -> bool:
    path = store / "specs" / BENCHMARKS / f"{task.replace('/', '/tasks/')}.toml"
    if not all(map(PLUGIN_ID.fullmatch, task.split("/"))) or not path.is_file():
        return False
    return any(read_toml(path, _TaskClaims).leaks.values())


def _synthetic_problems(store: Path, record: Record, truth: TaskTruth) -> Iterator[str]:
    """What the record says of its synthetic images otherwise than the stage's own list, which the bundle has."""
    made = [stage for stage in record.stages if stage.stage == "generate"]
    if bool(made) != bool(record.synthetic):
        yield "names synthetic images without the stage that made them, or the stage without them"
    if not made or record.synthetic is None:
        return
    folder = store / stage_unit(made[-1].key)
    rows = read_synthetic(folder)
    digest = digest_of([sha256_file(folder / name) for name in ("synthetic.csv", LINEAGE)])
    if record.synthetic.sha256 != digest:
        yield "the synthetic images that its stage lists have another digest than the record says"
    by_tone = _by_tone(row.tone for row in rows)
    if record.synthetic.n != len(rows) or not _same_counts(record.synthetic.n_by_tone, by_tone):
        yield "the record counts the synthetic images otherwise than its stage lists them"
    lineage = read_lineage(folder)
    ancestors = [lineage.ancestors(i) for i in range(len(lineage.sources))]
    named = {one for found in ancestors for one in found if one != UNKNOWN_SOURCE}
    unknown = sum(1 for sources in lineage.sources if is_unknown(sources))
    method = store / "specs" / FOLDERS["method"] / record.entry.method / "method.toml"
    from_text = method.is_file() and read_toml(method, PluginClaims).made_from == "text"
    unnamed = 0 if from_text else sum(not found for found in ancestors)
    said = record.synthetic
    # Copies of held-out images that a task shows to methods are ancestors, and no training images.
    if said.n_sources > len(named) or (said.n_unknown, said.n_unnamed) != (unknown, unnamed):
        yield "the record counts what the synthetic images were made from otherwise than their lineage does"
    held_out = {*truth.validation.ids, *truth.test.ids}
    descend = sum(not held_out.isdisjoint(found) for found in ancestors)
    if descend and not _shows_copies(store, record.task):
        yield f"{descend:,} synthetic images descend from validation or test images"


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
