"""Estimates the cost of stages that would run: by what the same work took here, else by declared rates.

The mistake it exists to prevent: a cost that nobody knows, counted as none.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from tonegap.declared.rates import RATES, Rate, holds, is_met, rate_problems, units_of
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
# And of another seed: which images they are. How many there are is in the mark.
_OF_A_SEED = {
    f"{part} {of}" for part in ("training", "validation", "test") for of in ("images", "rows")
}
_NEARLY = 0.05  # by what share of it the number of images may differ between two seeds
_GPU = "cuda"


@dataclass(frozen=True, slots=True)
class ExpectedCost:
    """What one stage takes: seconds, MiB of main and of each of its GPUs' memory at their peak, bytes on disk.

    None for what is not known. `sources`: of each declared rate behind it who says so and for what device; none where
    it was measured here. `gpus`: how many it held in that time; a declared rate is for one. `processes`: how many it
    will have, one for each GPU (`shared`); 0 stands for as many as then. `at_most`: whether time and
    disk are of the most units that it can have.
    """

    seconds: float | None = None
    peak_memory_mib: float | None = None
    disk_bytes: int | None = None
    device: str = "cpu"
    sources: tuple[str, ...] = ()
    gpus: int = 1
    gpu_memory_mib: float | None = None
    at_most: bool = False
    processes: int = 0

    @property
    def n_gpus(self) -> int:
        """How many GPUs it will have."""
        return (self.processes or self.gpus) if self.device == _GPU else 0

    def shared(self, n: int) -> "ExpectedCost":
        """The same for `n` processes, one for each GPU: each has its own main memory, and about as much of its GPU's.

        Time, and so GPU time, stays what it was with as many as there were.
        """
        memory = self.peak_memory_mib
        memory = None if memory is None else memory * n / self.gpus
        return replace(self, peak_memory_mib=memory, processes=n)

    @property
    def gpu_seconds(self) -> float | None:
        """Its time on GPUs times how many; None where that is not known, or it holds none."""
        return None if self.device != _GPU or self.seconds is None else self.seconds * self.gpus

    @property
    def is_known(self) -> bool:
        """Whether anything of it is known."""
        return any(getattr(self, name) is not None for name, *_ in _SAID)


@dataclass(frozen=True, slots=True)
class PlanCost:
    """What stages take together, one after another."""

    stages: tuple[ExpectedCost, ...]

    def total(self, name: str) -> float | None:
        """The sum over all of which it is known, of memory the most that any one has; None where that is none."""
        found: list[float | None] = [getattr(one, name) for one in self.stages]
        known = [value for value in found if value is not None]
        together = max if name.endswith("_mib") else sum
        return together(known) if known else None

    @property
    def n_unknown(self) -> int:
        """Of how many stages nothing is known."""
        return sum(not stage.is_known for stage in self.stages)

    @property
    def sources(self) -> tuple[str, ...]:
        """What the declared rates behind it were measured on and who says so, each once."""
        return tuple(dict.fromkeys(source for stage in self.stages for source in stage.sources))

    def as_json(self) -> dict[str, object]:
        """The same for programs."""
        totals = {name: self.total(name) for name, *_ in _SAID}
        return {
            **{f"estimated_{n}": None if v is None else round(v, 1) for n, v in totals.items()},
            "gpus_per_stage": max((one.n_gpus for one in self.stages), default=0),
            "counted_at_most": any(stage.at_most for stage in self.stages),
            "declared_rates": list(self.sources),
            "without_estimate": self.n_unknown,
        }

    @property
    def words(self) -> str:
        """`about 20 s of work, 0.4 GPU hours, up to 1,161 MiB in one stage, 12 MiB of disk`.

        What is known of some stages alone is `at least` that, or if it is the most of these, that `in 2 of 3 stages`;
        what is known of none is `unknown`.
        """
        if self.n_unknown == len(self.stages):
            return (
                "cost unknown: nothing like them ever ran here, and no rate is declared that holds"
            )
        said = [text for row in _SAID if (text := self._said(*row))]
        if n_declared := sum(bool(one.sources and one.seconds is not None) for one in self.stages):
            said.append(f"{n_declared} of them by declared rates")
        if self.n_unknown:
            said.append(f"{self.n_unknown} of them unknown: nothing like them ever ran here")
        return ", ".join(said)

    def _said(self, name: str, what: str, bound: str, shown: Callable[[float], str]) -> str:
        """One number with what kind of bound it is: of a part of the stages, of the most that they make, or neither."""
        on_gpu, each = name.startswith("gpu_"), name.endswith("_mib")
        asked = [one for one in self.stages if one.device == _GPU or not on_gpu]
        known = [one for one in asked if getattr(one, name) is not None]
        total, part = self.total(name), len(known) < len(asked)
        if total is None:
            return f"{what} unknown" if asked else ""
        text = shown(total)
        of_most = [one for one in known if getattr(one, name) == total]
        if each and on_gpu and (n := max(one.n_gpus for one in of_most)) > 1:
            text = text.replace("of a GPU", f"of each of {n} GPUs")
        if each and not on_gpu and any(one.n_gpus > 1 for one in of_most):
            text = f"about {text}"
        if bound != "up to" and any(one.at_most for one in known):
            of = f" in {len(known)} of {len(asked)} stages" if part else ""
            return f"up to about {text}{of}"
        return f"{'at least' if part else bound} {text}".strip()


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{max(seconds, 1):.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:,.1f} h"


# What is said of a cost: its name, the word for it, its bound where it is known of all stages, and how it is shown.
_SAID: tuple[tuple[str, str, str, Callable[[float], str]], ...] = (
    ("seconds", "time", "about", lambda s: f"{_duration(s)} of work"),
    ("gpu_seconds", "GPU hours", "", lambda s: f"{max(s / 3600, 0.1):,.1f} GPU hours"),
    ("gpu_memory_mib", "GPU memory", "up to", lambda n: f"{n:,.0f} MiB of a GPU in one stage"),
    ("peak_memory_mib", "memory", "up to", lambda n: f"{n:,.0f} MiB in one stage"),
    ("disk_bytes", "disk", "about", lambda n: f"{max(n // _MIB, 1):,} MiB of disk"),
)


def is_of_another_seed(stage: PlannedStage, mark: StageMark) -> bool:
    """Whether a mark is of the same plug-in's stage at another seed, whatever else it was made of."""
    of = mark.plugin, mark.stage
    seeds = mark.ingredients.get("seed"), stage.ingredients.get("seed")
    return of == (stage.identity.plugin.label, stage.stage) and seeds[0] != seeds[1]


def is_same_work(stage: PlannedStage, last: StageMark, changed: Collection[str]) -> bool:
    """Whether the newest stage of a kind took what this one will: the same but for code, and so all before it.

    `changed` has the keys of stages that would run and are the same work; a cached one upstream that was another then
    may have left more or less. That of another seed saw other images: about as many are the same work.
    """
    before, now = last.ingredients, stage.ingredients
    differ = {name for name in {*before, *now} if before.get(name) != now.get(name)}
    if "seed" in differ and last.n_images:
        n = n_images(stage)
        differ -= _OF_A_SEED if abs(n - last.n_images) <= _NEARLY * n else set()
    led = {"upstream", "banks"} & differ
    return differ <= _SAME_WORK and (not led or any(key in changed for key in stage.upstream))


def n_images(stage: PlannedStage) -> int:
    """How many training images a stage is given, synthetic ones left out."""
    rows = stage.view.train if stage.stage == "train" else stage.view.method_train
    return len(rows.ids)


def measured_cost(mark: StageMark, store: Store) -> ExpectedCost:
    """What a finished stage took, and what lies in the store of it."""
    files = (p for p in store.stage_folder(mark.key).rglob("*") if p.is_file())
    return ExpectedCost(
        mark.seconds,
        mark.peak_memory_mib,
        sum(path.stat().st_size for path in files) or None,
        mark.ingredients.get("device", "cpu"),
        gpus=mark.gpus,
        gpu_memory_mib=mark.gpu_memory_mib,
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
    counts = {
        "images": n_images(stage),
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
        if not having or not all(holds(part, stage.parameters) for part in having):
            return None
        units = [units_of(one, counts, stage.parameters) if add else 1 for one in having]
        if None in units:
            return None
        told.extend(having)
        costs = [float(getattr(one, name)) * (n or 0) for one, n in zip(having, units, strict=True)]
        return sum(costs) if add else max(costs)

    seconds, memory, disk = known("seconds"), known("memory_mib", add=False), known("disk_mib")
    sources = dict.fromkeys(f"{title}: {rate.source} ({rate.measured_on})" for rate in told)
    disk_bytes = None if disk is None else int(disk * _MIB)
    at_most = any(one.at_most for one in told if {one.seconds, one.disk_mib} != {None})
    return ExpectedCost(seconds, memory, disk_bytes, stage.device, tuple(sources), at_most=at_most)
