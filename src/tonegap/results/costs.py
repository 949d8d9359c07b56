"""What the stages behind records took in all."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tonegap.formats.record import Record, StageCost


@dataclass(frozen=True, slots=True)
class TotalCost:
    """Stages, wall seconds, processor seconds (None: not measured of all), highest peak in MiB (None: of none)."""

    n_stages: int
    seconds: float
    cpu_seconds: float | None
    peak_memory_mib: float | None

    @property
    def mean_seconds(self) -> float | None:
        """Wall seconds of a stage, on average; None without any."""
        return self.seconds / self.n_stages if self.n_stages else None


def total_cost(costs: Sequence[StageCost]) -> TotalCost:
    """The sums over stages, and the highest peak of memory."""
    cpu = [cost.cpu_seconds for cost in costs if cost.cpu_seconds is not None]
    peaks = [cost.peak_memory_mib for cost in costs if cost.peak_memory_mib is not None]
    return TotalCost(
        n_stages=len(costs),
        seconds=sum(cost.seconds for cost in costs),
        cpu_seconds=sum(cpu) if len(cpu) == len(costs) else None,
        peak_memory_mib=max(peaks, default=None),
    )


def costs_by_key(records: Iterable[Record]) -> dict[str, StageCost]:
    """What each stage took, by its key; one that several records share is there once."""
    return {
        stage.key: cost
        for record in records
        for stage, cost in zip(record.stages, record.circumstances.costs, strict=False)
    }
