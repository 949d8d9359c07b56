"""Images of unknown tone, crossed with the classes of a task.

The mistake it exists to prevent: a task that is another one without them, because tone is missing by diagnosis.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from tonegap.data.metadata import Metadata
from tonegap.declared.task import Task
from tonegap.split.rows import SelectedRows, positive_classes, rows_of

_MOVES = 0.05  # of a share of images, from which on leaving them out is another question
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class UnknownTones:
    """How many images of each class have a tone and have none, and whether the task keeps these.

    `moved`: how leaving them out moves the class balance, in words; "" where it hardly does.
    """

    by_class: Mapping[str, tuple[int, int]]
    kept: bool
    moved: str

    @property
    def n(self) -> int:
        """How many images have no tone."""
        return sum(n for _, n in self.by_class.values())

    @property
    def text(self) -> str:
        """`images of unknown tone: 804 of 2,298, kept (NEV 140 of 244, …)`."""
        without = sorted(self.by_class.items(), key=lambda item: (-item[1][1], item[0]))
        listed = [f"{name} {n:,} of {known + n:,}" for name, (known, n) in without]
        more = ", …" if len(listed) > _SHOWN else ""
        what = "kept" if self.kept else "left out"
        n_all = sum(map(sum, self.by_class.values()))
        return (
            f"images of unknown tone: {self.n:,} of {n_all:,}, {what} "
            f"({', '.join(listed[:_SHOWN])}{more})"
        )


def unknown_tones(task: Task, metadata: Metadata) -> UnknownTones:
    """The classes of a task crossed with unknown tone. Raises BadSplit where its rows cannot be told."""
    every = rows_of(_keeping(task), metadata)
    counts = Counter(zip(every.classes, (tone is None for tone in every.tones), strict=True))
    names = sorted(set(every.classes))
    by_class = {name: (counts[name, False], counts[name, True]) for name in names}
    kept = task.file.tones.keep_unknown
    return UnknownTones(by_class, kept, _moved(by_class, kept, _events(task, every, names)))


def _keeping(task: Task) -> Task:
    tones = msgspec.structs.replace(task.file.tones, keep_unknown=True)
    return replace(task, file=msgspec.structs.replace(task.file, tones=tones))


def _events(task: Task, rows: SelectedRows, names: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """The classes whose share is looked at: the positive ones together, or each by itself."""
    positive = positive_classes(task, rows, names)
    return {" or ".join(positive): positive} if positive else {name: (name,) for name in names}


def _moved(
    by_class: Mapping[str, tuple[int, int]], kept: bool, events: Mapping[str, tuple[str, ...]]
) -> str:
    known = sum(with_tone for with_tone, _ in by_class.values())
    n_all = known + sum(without for _, without in by_class.values())
    if not known or known == n_all:
        return ""
    moves = []
    for event, classes in events.items():
        here = [by_class[name] for name in classes]
        before, after = sum(map(sum, here)) / n_all, sum(with_tone for with_tone, _ in here) / known
        moves.append((abs(after - before), event, before, after))
    size, event, before, after = max(moves)
    if size < _MOVES:
        return ""
    verb = "leaving them out would move" if kept else "leaving them out moves"
    return f"{verb} {event} from {100 * before:.1f} to {100 * after:.1f} % of images"
