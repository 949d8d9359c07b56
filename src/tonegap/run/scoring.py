"""Makes a record from an entry's last stage and the truth: the only place where test labels meet predictions."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tonegap.errors import LeakFound
from tonegap.files import digest_of, sha256_file, sha256_lines
from tonegap.formats.lineage import FILE as LINEAGE
from tonegap.formats.lineage import read_lineage
from tonegap.formats.record import (
    SCHEMA,
    BankId,
    Circumstances,
    PartitionId,
    Record,
    StageCost,
    StageId,
    SyntheticId,
)
from tonegap.formats.truth import encode_truth, truth_place
from tonegap.numerics import Numerics
from tonegap.run.outputs import find_predictions
from tonegap.scores.results import results_of
from tonegap.scores.task_rules import Rules
from tonegap.split.view import PartitionImages, truth_of
from tonegap.store.marks import StageMark
from tonegap.store.store import Store
from tonegap.synthetic.audit import audited
from tonegap.synthetic.manifest import read_synthetic

if TYPE_CHECKING:
    from tonegap.plan.plan import PlannedRun


@dataclass(frozen=True, slots=True)
class Finish:
    """What only the runner knows when a run is done: the time, the machine, the versions."""

    finished: str
    hardware: dict[str, str]
    versions: dict[str, str]


def score_run(store: Store, run: "PlannedRun", finish: Finish) -> Record:
    """The record of a run whose stages are all finished.

    Raises BadPredictions for predictions that break the contract, BadRequest where the selection metric is undefined.
    """
    view, marks = run.view, _marks(store, run)
    part, behind = run.entry.extractor, run.entry.postprocessor
    path = find_predictions(store.stage_folder(run.stages[-1]))
    truth = truth_of(view)
    rules = Rules(view.classes, view.positive, view.tones, view.min_support, view.selection_metric)
    found = results_of(path, truth, rules)
    truth_sha256 = store.keep_truth(encode_truth(truth))
    store.remember_truth(truth_place(view.task, run.id.seed, view.data), truth_sha256)
    return Record(
        schema=SCHEMA,
        entry=run.entry.id,
        control=run.id.control,
        method_parameters=run.entry.method.parameters,
        baseline_parameters=run.entry.baseline.parameters,
        task=view.task,
        seed=run.id.seed,
        classes=view.classes,
        positive=view.positive,
        tones=view.tones,
        primary_metric=view.primary_metric,
        selection_metric=view.selection_metric,
        published_selection=view.published_selection,
        min_support=view.min_support,
        tone_at_test=any("tone_at_test" in part.plugin.file.needs for part in run.entry.parts[1:]),
        data=view.data,
        partitions={name: _partition(rows) for name, rows in view.partitions.items()},
        synthetic=_synthetic(store, run, marks),
        leaks=view.leaks,
        stages=tuple(StageId(m.stage, m.plugin, m.key, m.environment) for m in marks),
        predictions_sha256=sha256_file(path),
        scores=found.scores,
        curve=found.curve,
        circumstances=_circumstances(marks, finish),
        truth_sha256=truth_sha256,
        numerics=_numerics(marks),
        cross_fit=found.cross_fit,
        n_without_tone=view.n_without_tone,
        not_scored=dict(view.not_scored),
        postprocessor_parameters=behind.parameters if behind else {},
        exposure=run.exposure or msgspec.UNSET,
        bank=BankId(part.plugin.id, part.parameters) if part else msgspec.UNSET,
    )


def _marks(store: Store, run: "PlannedRun") -> list[StageMark]:
    """The marks of a run's stages. Raises StoreError where one of them is no longer what it was."""
    for key in run.stages:
        store.check_stage(key, without=("images", "model", "bank.npy"))
    return [store.read_mark(key) for key in run.stages]


def _partition(rows: PartitionImages) -> PartitionId:
    return PartitionId(len(rows.ids), rows.n_by_tone(), sha256_lines(sorted(rows.ids)))


def _synthetic(store: Store, run: "PlannedRun", marks: Sequence[StageMark]) -> SyntheticId | None:
    view, key = run.view, next((m.key for m in marks if m.stage == "generate"), None)
    if key is None:
        return None
    made: Path = store.stage_folder(key)
    audit = audited(store, key, view)
    if audit.refused:
        raise LeakFound(audit.text)
    lineage = read_lineage(made)
    by_tone = dict(sorted(Counter(row.tone or "unknown" for row in read_synthetic(made)).items()))
    files = (made / "synthetic.csv", made / LINEAGE)
    from_text = run.entry.method.plugin.file.made_from == "text"
    return SyntheticId(
        n=audit.n,
        n_by_tone=by_tone,
        sha256=digest_of([sha256_file(file) for file in files]),
        parts={name: part.sha256 for name, part in sorted(lineage.parts.items()) if part.sha256},
        withheld=view.n_copies(shown=False),
        shown=view.n_copies(shown=True),
        n_sources=audit.n_sources,
        n_unknown=audit.n_unknown,
        n_allowed=audit.n_allowed,
        n_explained=audit.n_explained,
        n_unnamed=0 if from_text else sum(not lineage.ancestors(i) for i in range(audit.n)),
    )


def _numerics(marks: Sequence[StageMark]) -> Numerics:
    """Portable if every stage was."""
    portable = all(mark.ingredients.get("numerics") == "portable" for mark in marks)
    return "portable" if portable else "native"


def _circumstances(marks: Sequence[StageMark], finish: Finish) -> Circumstances:
    last = marks[-1]
    gpus = "; ".join(dict.fromkeys(m.versions["gpu"] for m in marks if "gpu" in m.versions))
    return Circumstances(
        finished=finish.finished,
        hardware=finish.hardware,
        versions={**last.versions, **({"gpu": gpus} if gpus else {}), **finish.versions},
        costs=tuple(StageCost(m.stage, m.seconds, m.cpu_seconds, m.peak_memory_mib) for m in marks),
        isolation=last.isolation,
    )
