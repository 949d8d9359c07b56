"""Every number of a record computed again from its predictions, its truth and the files of its stages."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from tonegap.declared.plugin import PLUGIN_ID, plugin_place
from tonegap.declared.task import task_place
from tonegap.declared.toml import read_toml
from tonegap.files import digest_of, sha256_file, sha256_lines
from tonegap.formats.lineage import FILE as LINEAGE
from tonegap.formats.lineage import UNKNOWN_SOURCE, read_lineage
from tonegap.formats.record import CrossFit, Record, ScoreColumns, Selected
from tonegap.formats.truth import PartTruth, TaskTruth, decode_truth
from tonegap.lines import first_few
from tonegap.results.bundle.declared_claims import PluginClaims
from tonegap.results.bundle.stage_claims import mark_problems
from tonegap.run.outputs import find_predictions
from tonegap.scores.results import results_of, rules_of
from tonegap.store.layout import SPECS, stage_unit, truth_unit
from tonegap.synthetic.findings import is_unknown
from tonegap.synthetic.manifest import read_synthetic

KEY = re.compile(r"[0-9a-f]{64}")
_SAME = 1e-12


def record_problems(store: Path, record: Record) -> Iterator[str]:
    """What a bundle's predictions, truth and stages have against a record, one sentence each.

    Raises ToneGapError, or what `tonegap.untrusted.DAMAGE` lists, where a file cannot be read as what it is.
    """
    sha256 = record.truth_sha256
    keys = [stage.key for stage in record.stages]
    if not keys or not all(KEY.fullmatch(key) for key in (sha256, *keys)):
        yield "names no stage, or a stage or truth by what is no key"
        return
    yield from mark_problems(store, record)
    truth = decode_truth((store / truth_unit(sha256)).read_bytes(), sha256, truth_unit(sha256))
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
    path = store / SPECS / task_place(task)
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
    method = store / SPECS / plugin_place("method", record.entry.method)
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
        yield f"{rule}: {first_few(differing, '; ', noun=' scores')}"


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
