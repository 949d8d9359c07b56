"""A finished train stage and the truth into a record: the only place where test labels meet predictions."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tonegap.files import sha256_file, sha256_lines
from tonegap.run.outputs import find_predictions, read_synthetic
from tonegap.run.plan import CellPlan
from tonegap.run.record import (
    SCHEMA,
    SELECTIONS,
    Circumstances,
    CurvePoint,
    PartitionId,
    Record,
    ScoreColumns,
    Selected,
    StageCost,
    StageId,
    SyntheticId,
)
from tonegap.run.store import StageMark, Store
from tonegap.run.view import Rows, TaskView
from tonegap.score.metrics import score_table
from tonegap.score.predictions import Labelled, Predictions, read_predictions
from tonegap.score.rules import ScoringRules
from tonegap.score.selection import epoch_values, select_by
from tonegap.score.tables import ScoreTable
from tonegap.score.undefined import Undefined
from tonegap.tones import GROUPS, TYPES, tone_group


@dataclass(frozen=True, slots=True)
class Finish:
    """What only the runner knows when a cell is done: the time, the machine, the versions."""

    finished: str
    hardware: dict[str, str]
    versions: dict[str, str]


def score_cell(store: Store, cell: CellPlan, finish: Finish) -> Record:
    """The record of a cell whose stages are all finished.

    Raises BadPredictions for predictions that break the contract, BadRequest where the selection metric is undefined.
    """
    view = cell.view
    path = find_predictions(store.stage_folder(cell.stages[-1]))
    ids = (*view.validation.ids, *view.test.ids)
    predictions = read_predictions(path, view.classes, ids)
    n = len(view.validation.ids)
    validation = _labelled(predictions, slice(0, n), view.validation)
    test = _labelled(predictions, slice(n, None), view.test)
    marks = [store.read_mark(key) for key in cell.stages]
    baseline = cell.entry.baseline.plugin.file
    return Record(
        schema=SCHEMA,
        entry=cell.entry.id,
        control=cell.id.control,
        method_parameters=cell.entry.method_parameters,
        baseline_parameters=cell.entry.baseline_parameters,
        task=view.task,
        seed=cell.id.seed,
        classes=view.classes,
        positive=view.positive,
        tones=view.tones,
        primary_metric=view.primary_metric,
        selection_metric=view.selection_metric,
        published_selection=view.published_selection,
        min_support=view.min_support,
        tone_at_test="tone_at_test" in baseline.needs,
        data=view.data,
        partitions={name: _partition(rows) for name, rows in view.partitions.items()},
        synthetic=_synthetic(store, cell),
        leaks=view.leaks,
        stages=tuple(StageId(m.stage, m.plugin, m.key, m.environment) for m in marks),
        predictions_sha256=sha256_file(path),
        scores={rule: selected(rule, validation, test, view) for rule in SELECTIONS},
        curve=curve(validation, test, view),
        circumstances=_circumstances(marks, finish),
    )


def selected(rule: str, validation: Labelled, test: Labelled, view: TaskView) -> Selected:
    """The test scores of the epoch and threshold that a selection rule picks, on each tone axis."""
    plain = ScoringRules(view.classes, view.positive, None, view.min_support, view.tones)
    choice = select_by(rule, validation, test, view.selection_metric, plain)
    p = test.p[choice.epoch_index]
    tables = {}
    for axis, tones, scored in tone_axes(test.tones, view.tones):
        rules = ScoringRules(
            view.classes, view.positive, choice.threshold, view.min_support, scored
        )
        tables[axis] = columns_of(score_table(p, test.y, tones, rules))
    return Selected(test.epochs[choice.epoch_index], choice.threshold, tables)


def tone_axes(
    tones: Sequence[str | None], scored: Sequence[str]
) -> list[tuple[str, tuple[str | None, ...], tuple[str, ...]]]:
    """The axes a test set can be scored on: (name, tone of each image, tones expected).

    Six types pool into three groups; groups cannot be told apart further.
    """
    groups = tuple(tone_group(tone) if tone else None for tone in tones)
    expected = tuple(g for g in GROUPS if g in {tone_group(tone) for tone in scored})
    axes = [("groups", groups, expected)]
    if all(tone in TYPES for tone in scored):
        axes.insert(0, ("types", tuple(tones), tuple(scored)))
    return axes


def columns_of(table: ScoreTable) -> ScoreColumns:
    """A score table by columns, as a record keeps it."""
    return ScoreColumns(
        metric=tuple(score.metric for score in table),
        tone=tuple(score.tone for score in table),
        value=tuple(score.value for score in table),
        n=tuple(score.n for score in table),
        reason=tuple(score.reason for score in table),
    )


def curve(validation: Labelled, test: Labelled, view: TaskView) -> tuple[CurvePoint, ...]:
    """The selection metric of every epoch on validation and on test."""
    rules = ScoringRules(view.classes, view.positive, None, view.min_support, view.tones)
    lines: list[Sequence[float | None]] = []
    for images in (validation, test):
        values = epoch_values(images, view.selection_metric, rules)
        if isinstance(values, Undefined):
            lines.append([None] * len(images.epochs))
        else:
            lines.append([float(value) for value in values])
    rows = zip(validation.epochs, *lines, strict=True)
    return tuple(
        CurvePoint(epoch, on_validation, on_test) for epoch, on_validation, on_test in rows
    )


def _labelled(predictions: Predictions, rows: slice, truth: Rows) -> Labelled:
    index = {name: i for i, name in enumerate(predictions.classes)}
    return Labelled(
        classes=predictions.classes,
        ids=truth.ids,
        epochs=predictions.epochs,
        p=predictions.p[:, rows],
        y=np.array([index[label] for label in truth.labels], dtype=np.int64),
        tones=truth.tones,
    )


def _partition(rows: Rows) -> PartitionId:
    return PartitionId(len(rows.ids), rows.n_by_tone(), sha256_lines(sorted(rows.ids)))


def _synthetic(store: Store, cell: CellPlan) -> SyntheticId | None:
    if "generate" not in cell.entry.method.plugin.file.stages:
        return None
    made: Path = store.stage_folder(cell.stages[-2])
    counts: dict[str, int] = {}
    for row in read_synthetic(made):
        counts[row.tone or "unknown"] = counts.get(row.tone or "unknown", 0) + 1
    by_tone = dict(sorted(counts.items()))
    return SyntheticId(sum(counts.values()), by_tone, sha256_file(made / "synthetic.csv"))


def _circumstances(marks: Sequence[StageMark], finish: Finish) -> Circumstances:
    last = marks[-1]
    return Circumstances(
        finished=finish.finished,
        hardware=finish.hardware,
        versions={**last.versions, **finish.versions},
        costs=tuple(StageCost(m.stage, m.seconds, m.cpu_seconds, m.peak_memory_mib) for m in marks),
        isolation=last.isolation,
    )
