"""Predictions and truth into all numbers of a record, and the answers they rest on.

Pure but for reading the predictions file: a run scores with it, and so does whoever checks a record later.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tonegap.errors import BadPredictions
from tonegap.formats.record import SELECTIONS, CrossFit, CurvePoint, Record, ScoreColumns, Selected
from tonegap.formats.truth import PartTruth, TaskTruth
from tonegap.scores.counts import answers, count_once
from tonegap.scores.cross_fit import axis_tables, cross_fit
from tonegap.scores.evidence.images import TestAnswers, tone_indices
from tonegap.scores.formulas import metric_values
from tonegap.scores.metrics import Held
from tonegap.scores.predictions import Labelled, Predictions, read_predictions
from tonegap.scores.rules import ScoringRules
from tonegap.scores.selection import Selection, epoch_values, select_by, youden_threshold
from tonegap.scores.tables import SELECTION_METRICS, ScoreTable
from tonegap.scores.task_rules import Rules
from tonegap.scores.undefined import Undefined


@dataclass(frozen=True, slots=True)
class Results:
    """The numbers of a record: test scores under each selection rule, the curve over epochs, the cross-fitted gain.

    `cross_fit`: None where there was nothing to choose.
    """

    scores: dict[str, Selected]
    curve: tuple[CurvePoint, ...]
    cross_fit: CrossFit | None = None


def given_results(
    path: Path, test: PartTruth, rules: Rules, rule: str, threshold: float | None
) -> Results:
    """The numbers of predictions for test images alone, whose epoch and threshold somebody else chose by `rule`.

    There is nothing left to choose, so there are no scores under another rule and no curve. Raises BadPredictions
    for a file that breaks the contract or holds several epochs.
    """
    predictions = read_predictions(path, rules.classes, test.ids)
    if len(predictions.epochs) > 1:
        raise BadPredictions(
            f"{path}: holds {len(predictions.epochs)} epochs of the test images alone, and nothing to choose "
            "one by; leave one, or add the rows of the validation images"
        )
    images = _labelled(predictions, slice(None), test)
    return Results({rule: _scored(images, Selection(0, threshold), rules)}, ())


def rules_of(record: Record) -> Rules:
    """The rules that a record was scored by."""
    return Rules(
        classes=record.classes,
        positive=record.positive,
        tones=record.tones,
        min_support=record.min_support,
        selection_metric=record.selection_metric,
    )


def results_of(path: Path, truth: TaskTruth, rules: Rules) -> Results:
    """Every number that predictions give.

    Raises BadPredictions for a file that breaks the contract, BadRequest where the selection metric is undefined.
    """
    validation, test = epochs_of(path, truth, rules.classes)
    choices = {
        rule: select_by(rule, validation, test, rules.selection_metric, rules.plain)
        for rule in SELECTIONS
    }
    # Rules often choose alike. A MetricFrame takes longer than all else: what is ranked has one.
    usual = choices["validation"]
    scored = {usual: _scored(test, usual, rules)}
    for choice in set(choices.values()) - {usual}:
        scored[choice] = _scored(test, choice, rules, held="by tone")
    return Results(
        scores={rule: scored[choice] for rule, choice in choices.items()},
        curve=epoch_scores(validation, test, rules.selection_metric, rules),
        cross_fit=cross_fit(test, truth.test.units, choices["validation"], rules),
    )


def epochs_of(path: Path, truth: TaskTruth, classes: tuple[str, ...]) -> tuple[Labelled, Labelled]:
    """What was said of the validation and of the test images in every epoch.

    Raises BadPredictions for a file that breaks the contract.
    """
    predictions = read_predictions(path, classes, truth.ids)
    n = len(truth.validation.ids)
    validation = _labelled(predictions, slice(0, n), truth.validation)
    return validation, _labelled(predictions, slice(n, None), truth.test)


def answers_of(path: Path, truth: TaskTruth, record: Record, rule: str) -> TestAnswers:
    """What a record's entry said of each test image at the epoch that a rule picked.

    Raises BadPredictions for a file that breaks the contract.
    """
    predictions = read_predictions(path, record.classes, truth.ids)
    picked = record.scores[rule]
    p = predictions.p[predictions.epochs.index(picked.epoch), len(truth.validation.ids) :]
    test = truth.test
    return TestAnswers(
        ids=test.ids,
        labels=test.labels,
        tones=test.tones,
        units=test.units,
        classes=record.classes,
        p=p.copy(),  # not all epochs with it
        epoch=picked.epoch,
        threshold=picked.threshold,
        second_tones=test.second_tones,
    )


def columns_of(table: ScoreTable) -> ScoreColumns:
    """A score table by columns, as a record keeps it."""
    return ScoreColumns(
        metric=tuple(score.metric for score in table),
        tone=tuple(score.tone for score in table),
        value=tuple(score.value for score in table),
        n=tuple(score.n for score in table),
        reason=tuple(score.reason for score in table),
    )


def _scored(test: Labelled, choice: Selection, rules: Rules, held: Held = "framed") -> Selected:
    """The test scores at a choice of epoch and threshold, on each tone axis."""
    tables = axis_tables(test, choice, rules, held=held)
    of_axis = {axis: columns_of(table) for axis, table in tables.items()}
    return Selected(test.epochs[choice.epoch_index], choice.threshold, of_axis)


def epoch_scores(
    validation: Labelled, test: Labelled, metric: str, rules: Rules
) -> tuple[CurvePoint, ...]:
    """A metric of all validation and of all test images in every epoch; None where it is undefined.

    A threshold is each epoch's own, from the validation images.
    """
    lines = [_by_epoch(images, validation, metric, rules) for images in (validation, test)]
    return tuple(CurvePoint(*point) for point in zip(test.epochs, *lines, strict=True))


def _by_epoch(
    images: Labelled, validation: Labelled, metric: str, rules: Rules
) -> list[float | None]:
    n = len(images.epochs)
    if metric in SELECTION_METRICS:
        values = epoch_values(images, metric, rules.plain)
        return [None] * n if isinstance(values, Undefined) else [float(v) for v in values]
    tone = tone_indices(images.tones, rules.tones)
    found = []
    for epoch in range(n):
        threshold = youden_threshold(validation, epoch, rules.plain)
        scoring = ScoringRules(rules.classes, rules.positive, threshold, 1, rules.tones)
        said = answers(images.p[epoch], images.y, scoring)
        counts = count_once(images.y, tone, len(rules.tones), said)
        value = float(metric_values(counts, bool(rules.positive))[metric][0, -1])
        found.append(value if np.isfinite(value) else None)
    return found


def _labelled(predictions: Predictions, rows: slice, truth: PartTruth) -> Labelled:
    return Labelled(
        classes=predictions.classes,
        ids=truth.ids,
        epochs=predictions.epochs,
        p=predictions.p[:, rows],
        y=truth.y(predictions.classes),
        tones=truth.tones,
    )
