"""Holds a plan against a store: says what is cached, what would run, and which ingredient made each miss."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from tonegap.lines import counted
from tonegap.plan.plan import Plan, PlannedStage
from tonegap.run.damage import find_damage
from tonegap.run.runner import missing_runs, missing_stages
from tonegap.run.sheets import missing_features
from tonegap.run.stages import stage_titles
from tonegap.store.marks import StageMark
from tonegap.store.store import Store

_DIGEST_LENGTH = 64
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class PlanCost:
    """What stages took when their kind last ran here: seconds, those of them with a GPU, MiB in memory, bytes on disk.

    `peak_memory_mib` is the most of any one; 0 where none was measured.
    """

    seconds: float = 0.0
    gpu_seconds: float = 0.0
    peak_memory_mib: float = 0.0
    disk_bytes: int = 0

    @property
    def words(self) -> str:
        """`about 20 s of work, 0.4 GPU hours, up to 1,161 MiB in one stage, 12 MiB of disk`."""
        said = [f"about {_duration(self.seconds)} of work"]
        if self.gpu_seconds:
            said.append(f"{max(self.gpu_seconds / 3600, 0.1):.1f} GPU hours")
        if self.peak_memory_mib:
            said.append(f"up to {self.peak_memory_mib:,.0f} MiB in one stage")
        said.append(f"{max(self.disk_bytes // _MIB, 1):,} MiB of disk")
        return ", ".join(said)


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


@dataclass(frozen=True, slots=True)
class Miss:
    """A stage that would run, and why it is not cached."""

    key: str
    title: str
    why: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a run of the suite would do; `cost` is that of stages of a kind that ran before.

    `data`: what to know of the tasks' images before a number.
    """

    suite: str
    n_runs: int
    n_cached: int
    not_applicable: tuple[tuple[str, str], ...]
    misses: tuple[Miss, ...]
    cost: PlanCost
    n_without_estimate: int
    data: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        """The same for programs."""
        return {
            "suite": self.suite,
            "runs": self.n_runs,
            "cached": self.n_cached,
            "data": list(self.data),
            "not_applicable": [{"run": c, "why": w} for c, w in self.not_applicable],
            "stages": [{"key": m.key, "stage": m.title, "why": m.why} for m in self.misses],
            "estimated_seconds": round(self.cost.seconds, 1),
            "estimated_gpu_seconds": round(self.cost.gpu_seconds, 1),
            "estimated_peak_memory_mib": round(self.cost.peak_memory_mib, 1),
            "estimated_disk_bytes": self.cost.disk_bytes,
            "without_estimate": self.n_without_estimate,
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
        n_timed = len(self.misses) - self.n_without_estimate
        cost = [self.cost.words] if n_timed else []
        if self.n_without_estimate:
            which = f"{self.n_without_estimate} of a kind" if n_timed else "none of their kind"
            verb = (
                "that never ran here"
                if n_timed
                else "ever ran here, so how long they take is not known"
            )
            cost.append(f"and {which} {verb}" if cost else f"{which} {verb}")
        return [*found, f"{counted(len(self.misses), 'stage')} to run, {', '.join(cost)}"]

    def _misses(self) -> list[str]:
        """Each stage that would run; a reason that several in a row have is said once, after them."""
        found: list[str] = []
        for miss, following in zip_longest(self.misses, self.misses[1:]):
            found.append(f"would run: {miss.title}")
            if following is None or following.why != miss.why:
                found.append(f"    because {miss.why}")
        return found


def explain(plan: Plan, store: Store) -> Explanation:
    """What a run would do with this store as it is."""
    damage = find_damage(plan, store)
    missing = {run.id.key for run in missing_runs(plan, store)}
    runs = [c for c in plan.runs if c.id.key in missing or c.id.key in damage.records]
    keys = dict.fromkeys((*missing_stages(runs, store), *damage.stages))
    stages = [plan.stages[key] for key in keys]
    stages += [stage for stage in missing_features(plan, store) if stage.key not in keys]
    misses, known, unknown = [], [], 0
    titles = stage_titles(plan)
    for stage in stages:
        last = store.last_mark(stage.identity.plugin.label, stage.stage, stage.ingredients)
        why = damage.stages.get(stage.key) or why_missing(stage, last.ingredients if last else None)
        misses.append(Miss(stage.key, titles[stage.key], why))
        known += [last] if last else []
        unknown += last is None
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
        cost=_cost(known, store),
        n_without_estimate=unknown,
        data=data_lines(plan),
    )


def _cost(marks: Sequence[StageMark], store: Store) -> PlanCost:
    """The cost of stages that are like these."""
    folders = (store.stage_folder(mark.key) for mark in marks)
    sizes = (p.stat().st_size for folder in folders for p in folder.rglob("*") if p.is_file())
    return PlanCost(
        sum(mark.seconds for mark in marks),
        sum(mark.seconds for mark in marks if mark.ingredients.get("device") == "cuda"),
        max((mark.peak_memory_mib or 0.0 for mark in marks), default=0.0),
        sum(sizes),
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
