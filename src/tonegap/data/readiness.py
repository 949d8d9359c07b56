"""Which tasks can be run on a data root as it is, and why the others cannot."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tonegap.data.metadata import Metadata, first_three
from tonegap.errors import ToneGapError
from tonegap.rooms.task import Task
from tonegap.split.partition import partition


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a task can be run on all its images; `reason` is "" where it can."""

    task: str
    n_images: int
    reason: str


def check_tasks(
    tasks: Sequence[Task], metadata: Metadata, usable: Collection[str]
) -> tuple[Readiness, ...]:
    """One answer per task; `usable` are the ids whose images are there and decode."""
    there = frozenset(usable)
    return tuple(_check(task, metadata, there) for task in tasks)


def _check(task: Task, metadata: Metadata, usable: frozenset[str]) -> Readiness:
    try:
        used = _used(task, metadata)
    except ToneGapError as e:
        return Readiness(task.id, 0, str(e))
    lost = [image_id for image_id in metadata.ids if image_id in used and image_id not in usable]
    if not lost:
        return Readiness(task.id, len(used), "")
    reason = (
        f"{len(lost):,} of the {len(used):,} images it uses are missing or broken "
        f"(first: {first_three(lost)})"
    )
    return Readiness(task.id, len(used), reason)


def _used(task: Task, metadata: Metadata) -> set[str]:
    """The images of the training, validation and test sets of every seed."""
    used: set[str] = set()
    for seed in task.seeds if task.seeded else task.seeds[:1]:
        made = partition(task, metadata, seed)
        used.update(i for i, part in zip(made.ids, made.parts, strict=True) if part != "unused")
    return used
