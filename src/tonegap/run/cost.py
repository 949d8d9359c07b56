"""Estimates the cost of stages that would run: by what the same work took here, else by declared rates.

The mistake it exists to prevent: a cost that nobody knows, counted as none.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from tonegap.declared.rates import RATES, Rate, is_met, rate_problems, units_of
from tonegap.errors import BadSuiteFolder
from tonegap.plan.plan import PlannedStage
from tonegap.store.marks import StageMark
from tonegap.store.store import Store

_MIB = 2**20
# Of what a stage is made of: what can change without its work being more or less. Of another parameter, number of
# images or device nobody knows what it costs.
_SAME_WORK = {
    "contract",
    "plug-in",
    "environment",
    "inputs",
    "masks",
    "upstream",
    "banks",
    "repeat",
    "seed",
}
_GPU = "cuda"


@dataclass(frozen=True, slots=True)
class ExpectedCost:
    """What one stage takes: seconds, MiB of main memory at its peak, bytes on disk; None for what is not known.

    `sources`: of each declared rate behind it who says so and for what device; none where it was measured here.
    `gpus`: how many it held in that time; a declared rate is for one.
    """

    seconds: float | None = None
    peak_memory_mib: float | None = None
    disk_bytes: int | None = None
    device: str = "cpu"
    sources: tuple[str, ...] = ()
    gpus: int = 1

    @property
    def is_known(self) -> bool:
        """Whether anything of it is known."""
        return (self.seconds, self.peak_memory_mib, self.disk_bytes) != (None, None, None)


@dataclass(frozen=True, slots=True)
class PlanCost:
    """What stages take together, one after another."""

    stages: tuple[ExpectedCost, ...]

    @property
    def seconds(self) -> float | None:
        """Of all whose time is known; None where that is none."""
        return _over(sum, (stage.seconds for stage in self.stages))

    @property
    def gpu_seconds(self) -> float | None:
        """Those of them that hold GPUs, times how many; None where of no such stage the time is known."""
        held = ((stage.seconds, stage.gpus) for stage in self._on_gpu)
        return _over(sum, (None if seconds is None else seconds * n for seconds, n in held))

    @property
    def peak_memory_mib(self) -> float | None:
        """The most that any one has; None where it is known of none."""
        return _over(max, (stage.peak_memory_mib for stage in self.stages))

    @property
    def disk_bytes(self) -> int | None:
        """What all leave on disk of which it is known; None where that is none."""
        found = _over(sum, (stage.disk_bytes for stage in self.stages))
        return None if found is None else int(found)

    @property
    def n_unknown(self) -> int:
        """Of how many stages nothing is known."""
        return sum(not stage.is_known for stage in self.stages)

    @property
    def sources(self) -> tuple[str, ...]:
        """What the declared rates behind it were measured on and who says so, each once."""
        return tuple(dict.fromkeys(source for stage in self.stages for source in stage.sources))

    @property
    def _on_gpu(self) -> list[ExpectedCost]:
        return [stage for stage in self.stages if stage.device == _GPU]

    @property
    def words(self) -> str:
        """`about 20 s of work, 0.4 GPU hours, up to 1,161 MiB in one stage, 12 MiB of disk`.

        What is known of some stages alone is `at least` that; what is known of none is `unknown`.
        """
        n_declared = sum(bool(stage.sources) for stage in self.stages)
        if self.n_unknown == len(self.stages):
            return (
                "cost unknown: nothing like them ever ran here, and no rate is declared that holds"
            )
        seconds, memory, disk = self.seconds, self.peak_memory_mib, self.disk_bytes
        said = [
            "time unknown"
            if seconds is None
            else f"{self._least('seconds', 'about')} {_duration(seconds)} of work"
        ]
        if self._on_gpu:
            hours = None if self.gpu_seconds is None else max(self.gpu_seconds / 3600, 0.1)
            least = "at least " if any(one.seconds is None for one in self._on_gpu) else ""
            said.append("GPU hours unknown" if hours is None else f"{least}{hours:,.1f} GPU hours")
        said.append(
            "memory unknown"
            if memory is None
            else f"{self._least('peak_memory_mib', 'up to')} {memory:,.0f} MiB in one stage"
        )
        said.append(
            "disk unknown"
            if disk is None
            else f"{self._least('disk_bytes', 'about')} {max(disk // _MIB, 1):,} MiB of disk"
        )
        if n_declared:
            said.append(f"{n_declared} of them by declared rates")
        if self.n_unknown:
            said.append(f"{self.n_unknown} of them unknown: nothing like them ever ran here")
        return ", ".join(said)

    def _least(self, name: str, otherwise: str) -> str:
        return "at least" if any(getattr(one, name) is None for one in self.stages) else otherwise


def _over(made: Callable[[Iterable[float]], float], values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return made(known) if known else None


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


def is_same_work(stage: PlannedStage, last: StageMark, changed: Collection[str]) -> bool:
    """Whether the newest stage of a kind took what this one will: the same but for code, and so all before it.

    `changed` has the keys of stages that would run and are the same work; a cached one upstream that was another then
    may have left more or less.
    """
    before, now = last.ingredients, stage.ingredients
    differ = {name for name in {*before, *now} if before.get(name) != now.get(name)}
    led = {"upstream", "banks"} & differ
    return differ <= _SAME_WORK and (not led or any(key in changed for key in stage.upstream))


def measured_cost(mark: StageMark, store: Store) -> ExpectedCost:
    """What a finished stage took, and what lies in the store of it."""
    files = (p for p in store.stage_folder(mark.key).rglob("*") if p.is_file())
    return ExpectedCost(
        mark.seconds,
        mark.peak_memory_mib,
        sum(path.stat().st_size for path in files) or None,
        mark.ingredients.get("device", "cpu"),
        gpus=mark.gpus,
    )


def declared_cost(stage: PlannedStage, declared: Mapping[str, Sequence[Rate]]) -> ExpectedCost:
    """What the rates that hold with a stage's device and parameters say it takes; their parts together.

    Raises BadSuiteFolder for a rate that names what the stage's plug-in does not have.
    """
    plugin, view = stage.identity.plugin, stage.view
    title = f"{plugin.label} {stage.stage}"
    for rate in declared.get(title, ()):
        for problem in rate_problems(title, rate, plugin):
            raise BadSuiteFolder(f"{RATES}: {problem}")
    rows = view.train if stage.stage == "train" else view.method_train
    counts = {
        "images": len(rows.ids),
        "classes": len(view.classes),
        "tones": len(view.axis_tones),
    }
    parts = [
        rate
        for rate in declared.get(title, ())
        if rate.device in {None, stage.device} and is_met(rate.only_with, stage.parameters)
    ]
    told: list[Rate] = []

    def known(name: str, *, add: bool = True) -> float | None:
        """The parts' costs of that name together; None where a part is not known with these parameters."""
        having = [part for part in parts if getattr(part, name) is not None]
        if not having or not all(is_met(part.holds_with, stage.parameters) for part in having):
            return None
        told.extend(having)
        units = [units_of(one, counts, stage.parameters) if add else 1 for one in having]
        costs = [float(getattr(one, name)) * n for one, n in zip(having, units, strict=True)]
        return sum(costs) if add else max(costs)

    seconds, memory, disk = known("seconds"), known("memory_mib", add=False), known("disk_mib")
    sources = dict.fromkeys(f"{title}: {rate.source} ({rate.measured_on})" for rate in told)
    disk_bytes = None if disk is None else int(disk * _MIB)
    return ExpectedCost(seconds, memory, disk_bytes, stage.device, tuple(sources))
