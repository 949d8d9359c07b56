"""Sums what the stages behind some records took. A stage that several records share is counted once."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from tonegap.formats.record import Record, StageCost


@dataclass(frozen=True, slots=True)
class TotalCost:
    """Of `n_stages`: wall and processor seconds in all, the highest peak of memory in MiB; None: not measured."""

    n_stages: int
    seconds: float
    cpu_seconds: float | None
    peak_memory_mib: float | None

    @property
    def mean_seconds(self) -> float | None:
        """Wall seconds of a stage, on average; None without any."""
        return self.seconds / self.n_stages if self.n_stages else None


def total_cost(records: Iterable[Record]) -> TotalCost:
    """The cost of all stages of these records.

    Processor time of all is not known where that of one is not; the peak is that of the stages where it is.
    """
    return cost_of_stages(costs_by_key(records).values())


def cost_of_stages(costs: Collection[StageCost]) -> TotalCost:
    """As `total_cost`, of stages."""
    cpu = [cost.cpu_seconds for cost in costs if cost.cpu_seconds is not None]
    return TotalCost(
        n_stages=len(costs),
        seconds=sum(cost.seconds for cost in costs),
        cpu_seconds=sum(cpu) if cpu and len(cpu) == len(costs) else None,
        peak_memory_mib=max(
            (c.peak_memory_mib for c in costs if c.peak_memory_mib is not None), default=None
        ),
    )


def costs_by_key(records: Iterable[Record]) -> dict[str, StageCost]:
    """What each stage took, by its key."""
    return {
        stage.key: cost
        for record in records
        for stage, cost in zip(record.stages, record.circumstances.costs, strict=False)
    }
