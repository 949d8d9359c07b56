"""Holds a plan against a store: says what is cached, what would run, and which ingredient made each miss."""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from types import MappingProxyType

from tonegap.declared.rates import Rate
from tonegap.lines import counted
from tonegap.plan.plan import Plan, PlannedStage
from tonegap.run.cost import (
    PlanCost,
    declared_cost,
    is_of_another_seed,
    is_same_work,
    measured_cost,
)
from tonegap.run.damage import find_damage
from tonegap.run.runner import missing_runs, missing_stages
from tonegap.run.sheets import missing_features
from tonegap.run.stages import stage_titles
from tonegap.store.marks import StageMark
from tonegap.store.store import Store

_DIGEST_LENGTH = 64


@dataclass(frozen=True, slots=True)
class Miss:
    """A stage that would run, and why it is not cached."""

    key: str
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a run of the suite would do, and what its stages cost by what is known of their kind.

    `data`: what to know of the tasks' images before a number. `missing`: bytes of each asset that is not here.
    """

    suite: str
    n_runs: int
    n_cached: int
    not_applicable: tuple[tuple[str, str], ...]
    misses: tuple[Miss, ...]
    cost: PlanCost
    data: tuple[str, ...] = ()
    missing: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, object]:
        """The same for programs; costs stand with each stage and together."""
        return {
            "suite": self.suite,
            "runs": self.n_runs,
            "cached": self.n_cached,
            "data": list(self.data),
            "not_applicable": [{"run": c, "why": w} for c, w in self.not_applicable],
            "missing_assets": [{"asset": n, "bytes": size} for n, size in self.missing.items()],
            "stages": [
                {"key": m.key, "stage": m.title, "why": m.why} | PlanCost((cost,)).as_json()
                for m, cost in zip(self.misses, self.cost.stages, strict=True)
            ],
            **self.cost.as_json(),
        }

    def lines(self) -> list[str]:
        """The same for a reader."""
        found = [f"{self.suite}: {counted(self.n_runs, 'run')}, {self.n_cached} cached"]
        found += self.data
        found += [f"not applicable: {run}: {why}" for run, why in self.not_applicable]
        found += self._misses()
        if not self.misses:
            n_to_score = self.n_runs - self.n_cached - len(self.not_applicable)
            scores = f"; {counted(n_to_score, 'run')} to score" if n_to_score else ""
            return [*found, f"nothing to run{scores}"]
        found += [f"by a declared rate: {source}" for source in self.cost.sources]
        return [*found, f"{counted(len(self.misses), 'stage')} to run, {self.cost.words}"]

    def _misses(self) -> list[str]:
        """Each stage that would run; a reason that several in a row have is said once, after them."""
        found: list[str] = []
        for miss, following in zip_longest(self.misses, self.misses[1:]):
            found.append(f"would run: {miss.title}")
            if following is None or following.why != miss.why:
                found.append(f"    because {miss.why}")
        return found


def explain(
    plan: Plan,
    store: Store,
    rates: Mapping[str, Sequence[Rate]] = MappingProxyType({}),
    gpus_per_stage: int = 1,
) -> Explanation:
    """What a run would do with this store as it is; `rates` tell the cost of stages whose like never ran in it.

    Stages that can use several GPUs get `gpus_per_stage`.

    Raises BadSuiteFolder for a rate that does not fit its plug-in.
    """
    damage = find_damage(plan, store)
    missing = {run.id.key for run in missing_runs(plan, store)}
    runs = [c for c in plan.runs if c.id.key in missing or c.id.key in damage.records]
    keys = dict.fromkeys((*missing_stages(runs, store), *damage.stages))
    stages = [plan.stages[key] for key in keys]
    stages += [stage for stage in missing_features(plan, store) if stage.key not in keys]
    misses, costs, same = [], [], set[str]()

    @functools.cache  # thousands of files: read where one is asked for
    def marks() -> dict[tuple[str, str], list[StageMark]]:
        found: dict[tuple[str, str], list[StageMark]] = {}
        for mark in store.last_marks():
            found.setdefault((mark.plugin, mark.stage), []).append(mark)
        return found

    titles = stage_titles(plan)
    for stage in stages:
        last = store.last_mark(stage.identity.plugin.label, stage.stage, stage.ingredients)
        why = damage.stages.get(stage.key) or why_missing(stage, last.ingredients if last else None)
        misses.append(Miss(stage.key, titles[stage.key], why))
        if not (last and is_same_work(stage, last, same)):
            alike = marks().get((stage.identity.plugin.label, stage.stage), ())
            of_seeds = (mark for mark in alike if is_of_another_seed(stage, mark))
            last = next((mark for mark in of_seeds if is_same_work(stage, mark, same)), None)
        if last:
            same.add(stage.key)
        cost = measured_cost(last, store) if last else declared_cost(stage, rates)
        costs.append(cost.shared(max(stage.n_gpus(gpus_per_stage), 1)))
    holes = tuple(
        (f"{run.id.entry.label} on {run.id.task} seed {run.id.seed}", run.id.not_applicable)
        for run in plan.runs
        if run.id.not_applicable
    )
    return Explanation(
        suite=plan.matrix.suite,
        n_runs=len(plan.runs),
        n_cached=len(plan.runs) - len(runs) - len(holes),
        not_applicable=holes,
        misses=tuple(misses),
        cost=PlanCost(tuple(costs)),
        data=data_lines(plan),
        missing=plan.missing,
    )


def data_lines(plan: Plan) -> tuple[str, ...]:
    """What to know of the images of each task and seed before a number, each sentence once."""
    seeds: dict[tuple[str, str], list[str]] = {}
    for run in plan.runs:
        for line in run.view.lines:
            said = seeds.setdefault((run.view.task, line), [])
            if str(run.id.seed) not in said:
                said.append(str(run.id.seed))
    of_views = (f"{task}, seed {', '.join(of)}: {line}" for (task, line), of in seeds.items())
    return (*of_views, *plan.lines)


def why_missing(stage: PlannedStage, last: dict[str, str] | None) -> str:
    """One phrase: the ingredients that differ from the newest finished stage of the same question."""
    if last is None:
        return "it never ran on this task and seed"
    now = stage.ingredients
    changed = [name for name in sorted({*now, *last}) if now.get(name) != last.get(name)]
    if not changed:
        return "its result was removed from the store"
    return "; ".join(_change(name, last.get(name), now.get(name)) for name in changed)


def _change(name: str, before: str | None, after: str | None) -> str:
    if before is None:
        return f"{name} is new"
    if after is None:
        return f"{name} is gone"
    if len(before) == len(after) == _DIGEST_LENGTH:
        return f"{name} changed"
    return f"{name} was {before}, is {after}"
