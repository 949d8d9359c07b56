"""Sends the stages of a run to their place: threads of this process, or jobs of a cluster; one interface for both.

A place is given stages whose upstream is finished, and says how each ended. What a stage is given, and what is checked
and committed of what it left, is the same everywhere: see `tonegap.run.stages`.
"""

import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Protocol

from tonegap.plan.plan import PlannedStage
from tonegap.run.cluster import Cluster
from tonegap.run.stages import Outcome, StageRunner, Workplace


class Place(Protocol):
    """Takes stages and tells how they ended."""

    def submit(self, stages: Sequence[PlannedStage]) -> None:
        """Takes stages that can run now."""

    def poll(self) -> list[tuple[str, Outcome]]:
        """Waits for some of them; keys of those that ended, with how. Raises StoreError for a full disk."""


@contextlib.contextmanager
def open_place(place: Workplace, runner: StageRunner) -> Iterator[Place]:
    """The place of a run, left in good order."""
    if place.slurm is not None:
        with Cluster(place, place.slurm, runner) as cluster:
            yield cluster
        return
    with ThreadPoolExecutor(place.jobs) as pool:
        yield Here(runner, pool)


class Here(Place):
    """A thread of this process for each stage at work."""

    def __init__(self, runner: StageRunner, pool: ThreadPoolExecutor) -> None:
        """`pool` has as many threads as stages may run at once."""
        self._runner, self._pool = runner, pool
        self._running: dict[Future[Outcome], str] = {}

    def submit(self, stages: Sequence[PlannedStage]) -> None:
        """As Place says."""
        self._running |= {self._pool.submit(self._runner.run, stage): stage.key for stage in stages}

    def poll(self) -> list[tuple[str, Outcome]]:
        """As Place says."""
        done, _ = wait(self._running, return_when=FIRST_COMPLETED)
        return [(self._running.pop(future), future.result()) for future in done]
