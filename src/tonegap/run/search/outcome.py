"""Reports a finished search: for each baseline the chosen draw, its scores and the cost of all draws.

Of predictions and truth it reads validation rows; no test row is scored.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tonegap.errors import BadRequest
from tonegap.plan.plan import Plan, PlannedRun
from tonegap.run.outputs import find_predictions
from tonegap.run.search.choose import ValidationScores, choose, mean_scores
from tonegap.run.search.draws import Search, Values, draw_name
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


@dataclass(frozen=True, slots=True)
class BaselineOutcome:
    """Of one baseline: the chosen draw and its values, scores of every draw (None: not finished), the cost."""

    baseline: str
    chosen: int
    values: Values
    scores: tuple[ValidationScores | None, ...]
    cost: Cost

    def lines(self) -> list[str]:
        """The same for a reader."""
        best, defaults = self.scores[self.chosen], self.scores[0]
        spelt = ", ".join(f"{name} = {value!r}" for name, value in self.values.items())
        n_done = sum(1 for found in self.scores if found is not None)
        cpu = self.cost.cpu_seconds
        work = f"{self.cost.seconds:.0f} s" if cpu is None else f"{cpu:.0f} CPU seconds"
        return [
            f"{self.baseline}: {draw_name(self.chosen)} of {len(self.scores)}: {spelt or 'the defaults'}",
            f"    on validation: {_scores(best)}; with the defaults {_scores(defaults)}",
            f"    cost: {n_done} draws finished, {self.cost.n_stages} stages, {work}",
        ]


def _scores(found: ValidationScores | None) -> str:
    if found is None:
        return "not finished"
    worst = "–" if found.worst is None else f"{found.worst * 100:.1f}"
    return f"{found.overall * 100:.1f} overall, {worst} in the worst tone"


def outcome(store: Store, plan: Plan, search: Search, rule: str) -> tuple[BaselineOutcome, ...]:
    """What was found for each baseline. Raises BadRequest where no draw can be chosen."""
    finished = store.finished_records()
    found = []
    for name, draws in search.draws.items():
        of_baseline = [c for c in plan.runs if c.id.entry.baseline == name]
        variants = map(draw_name, range(len(draws)))
        runs = [[c for c in of_baseline if c.id.entry.variant == variant] for variant in variants]
        scores = tuple(_mean(store, own, finished) for own in runs)
        number = choose(scores, rule, name)
        cost = cost_of(store, [run for own in runs for run in own])
        found.append(BaselineOutcome(name, number, draws[number], scores, cost))
    return tuple(found)


def _mean(
    store: Store, runs: Sequence[PlannedRun], finished: frozenset[str]
) -> ValidationScores | None:
    """The mean of a draw over tasks and seeds; None unless all that apply are finished."""
    asked = [run for run in runs if not run.id.not_applicable]
    if not asked or any(run.id.key not in finished for run in asked):
        return None
    return mean_scores([validation_scores(store, run) for run in asked])


def validation_scores(store: Store, run: PlannedRun) -> ValidationScores:
    """The scores on validation images of a finished run, at the first epoch with the best selection metric.

    The worst tone is that of the tones found among these images, from one image on: a search has to choose
    where a report would call a score undefined.

    Raises BadPredictions for predictions that break the contract, BadRequest where the selection metric is undefined.
    """
    view = run.view
    truth = truth_of(view)
    path = find_predictions(store.stage_folder(run.stages[-1]))
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


def cost_of(store: Store, runs: Sequence[PlannedRun]) -> Cost:
    """The cost of all finished stages behind some runs, each counted once."""
    keys = dict.fromkeys(key for run in runs for key in run.stages)
    marks = [store.read_mark(key) for key in keys if store.has_stage(key)]
    known = [mark.cpu_seconds for mark in marks if mark.cpu_seconds is not None]
    total = sum(known) if len(known) == len(marks) else None
    return Cost(len(marks), sum(mark.seconds for mark in marks), total)
