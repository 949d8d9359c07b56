"""What a finished search found: by baseline the chosen draw, its scores and what all draws cost."""

from collections.abc import Sequence
from dataclasses import dataclass

from tonegap.plan.plan import Plan, PlannedRun
from tonegap.run.search.choose import ValidationScores, choose, mean_scores
from tonegap.run.search.draws import Search, Values, draw_name
from tonegap.run.search.measured import Cost, cost_of, validation_scores
from tonegap.store.store import Store


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
        of_baseline = [c for c in plan.cells if c.id.entry.baseline == name]
        variants = map(draw_name, range(len(draws)))
        cells = [[c for c in of_baseline if c.id.entry.variant == variant] for variant in variants]
        scores = tuple(_mean(store, own, finished) for own in cells)
        number = choose(scores, rule, name)
        cost = cost_of(store, [cell for own in cells for cell in own])
        found.append(BaselineOutcome(name, number, draws[number], scores, cost))
    return tuple(found)


def _mean(
    store: Store, cells: Sequence[PlannedRun], finished: frozenset[str]
) -> ValidationScores | None:
    """The mean of a draw over tasks and seeds; None unless all that apply are finished."""
    asked = [cell for cell in cells if not cell.id.not_applicable]
    if not asked or any(cell.id.key not in finished for cell in asked):
        return None
    return mean_scores([validation_scores(store, cell) for cell in asked])
