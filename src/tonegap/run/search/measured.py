"""Reads validation scores and costs of finished draws from predictions and truth; no test row is scored."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.errors import BadRequest
from tonegap.plan.plan import PlannedRun
from tonegap.run.outputs import find_predictions
from tonegap.run.search.choose import ValidationScores
from tonegap.scores.predictions import Labelled, read_predictions
from tonegap.scores.rules import ScoringRules
from tonegap.scores.selection import epoch_values
from tonegap.scores.undefined import Undefined
from tonegap.split.view import truth_of
from tonegap.store.store import Store

_DIGITS = 12  # as in choosing an epoch: the first of equal ones wins


@dataclass(frozen=True, slots=True)
class Cost:
    """What stages took, whenever they ran; processor seconds are None where one was not measured."""

    n_stages: int
    seconds: float
    cpu_seconds: float | None


def validation_scores(store: Store, cell: PlannedRun) -> ValidationScores:
    """The scores on validation images of a finished cell, at the first epoch with the best selection metric.

    The worst tone is that of the tones found among these images, from one image on: a search has to choose
    where a report would call a score undefined.

    Raises BadPredictions for predictions that break the contract, BadRequest where the selection metric is undefined.
    """
    view = cell.view
    truth = truth_of(view)
    path = find_predictions(store.stage_folder(cell.stages[-1]))
    predictions = read_predictions(path, view.classes, truth.ids)
    part = truth.validation
    y = part.y(predictions.classes)
    p = predictions.p[:, : len(part.ids)]
    images = Labelled(predictions.classes, part.ids, predictions.epochs, p, y, part.tones)
    rules = ScoringRules(view.classes, view.positive, None, view.min_support, view.tones)
    values = epoch_values(images, view.selection_metric, rules)
    if isinstance(values, Undefined):
        raise BadRequest(f"{view.task}: {view.selection_metric} is undefined: {values.reason}")
    epoch = int(np.round(values, _DIGITS).argmax())
    worst = epoch_values(images, "worst_tone_accuracy", rules)
    if isinstance(worst, Undefined):
        return ValidationScores(float(values[epoch]), None, worst.reason)
    return ValidationScores(float(values[epoch]), float(worst[epoch]))


def cost_of(store: Store, cells: Sequence[PlannedRun]) -> Cost:
    """The cost of all finished stages behind some cells, each counted once."""
    keys = dict.fromkeys(key for cell in cells for key in cell.stages)
    marks = [store.read_mark(key) for key in keys if store.has_stage(key)]
    known = [mark.cpu_seconds for mark in marks if mark.cpu_seconds is not None]
    total = sum(known) if len(known) == len(marks) else None
    return Cost(len(marks), sum(mark.seconds for mark in marks), total)
