"""Chooses a draw of a baseline by its scores on validation images alone.

The mistake it exists to prevent: a test label that has a say in a hyper-parameter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from tonegap.errors import BadRequest

RULES = ("overall", "worst", "trade-off")
_DIGITS = 12  # equal means may differ in their last bits; the first of equal draws is taken


@dataclass(frozen=True, slots=True)
class ValidationScores:
    """Of one draw: the task's selection metric, and the worst tone's accuracy (None with a reason)."""

    overall: float
    worst: float | None
    reason: str | None = None


def mean_scores(runs: Sequence[ValidationScores]) -> ValidationScores:
    """The mean over tasks and seeds; the worst tone's is undefined if it is in any of them."""
    overall = fmean(run.overall for run in runs)
    worst = [run.worst for run in runs if run.worst is not None]
    if len(worst) < len(runs):
        reason = next(run.reason for run in runs if run.worst is None)
        return ValidationScores(overall, None, reason)
    return ValidationScores(overall, fmean(worst))


def choose(scores: Sequence[ValidationScores | None], rule: str, where: str) -> int:
    """The number of the best draw; the first of equal ones. None stands for a draw that did not finish.

    `overall` and `worst` take the largest. `trade-off` takes the least distance to the point that has the best
    overall score and the best worst tone's score among the draws: the distance to optimal by which MEDFAIR
    (Zong et al. 2023, arXiv 2210.01725) selects. Raises BadRequest naming `where` if no draw finished, or
    if the worst tone's score is undefined.
    """
    done = [(number, found) for number, found in enumerate(scores) if found is not None]
    if not done:
        raise BadRequest(f"{where}: no draw finished, so none can be chosen")
    if rule == "overall":
        values = {number: -found.overall for number, found in done}
    else:
        worst = {number: _worst(found, where) for number, found in done}
        best = max(found.overall for _, found in done), max(worst.values())
        values = {
            number: -worst[number]
            if rule == "worst"
            else math.dist((found.overall, worst[number]), best)
            for number, found in done
        }
    return min(values, key=lambda number: (round(values[number], _DIGITS), number))


def _worst(found: ValidationScores, where: str) -> float:
    if found.worst is None:
        raise BadRequest(
            f"{where}: the worst tone's accuracy on validation images is undefined ({found.reason}); "
            "take --rule overall"
        )
    return found.worst
