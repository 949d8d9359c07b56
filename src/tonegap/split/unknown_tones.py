"""Counts images of unknown tone for each class of a task.

The mistake it exists to prevent: a task that is another one without them, because tone is missing by diagnosis.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec

from tonegap.data.metadata import Metadata, malignant_flags
from tonegap.declared.dataset import Dataset
from tonegap.declared.task import Task
from tonegap.split.rows import SelectedRows, positive_classes, rows_of

_MOVES = 0.05  # of a share of images, from which on leaving them out is another question
_SHOWN = 6


@dataclass(frozen=True, slots=True)
class UnknownTones:
    """How many images of each class have a tone and have none, and whether the task keeps these; None: no task asks.

    `moved`: how leaving them out moves the class balance, in words; "" where it hardly does.
    """

    by_class: Mapping[str, tuple[int, int]]
    kept: bool | None
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
        what = {True: ", kept", False: ", left out", None: ""}[self.kept]
        n_all = sum(map(sum, self.by_class.values()))
        return (
            f"images of unknown tone: {self.n:,} of {n_all:,}{what} "
            f"({', '.join(listed[:_SHOWN])}{more})"
        )


def unknown_tones(task: Task, metadata: Metadata, excluded: Collection[str] = ()) -> UnknownTones:
    """The classes of a task crossed with unknown tone, without the images of the `excluded` ids.

    Raises BadSplit where its rows cannot be told.
    """
    keeping = msgspec.structs.replace(task.file.tones, keep_unknown=True)
    every = rows_of(replace(task, file=msgspec.structs.replace(task.file, tones=keeping)), metadata)
    left = [i for i, image_id in enumerate(every.ids) if image_id not in excluded]
    every = replace(
        every,
        index=tuple(every.index[i] for i in left),
        classes=tuple(every.classes[i] for i in left),
        tones=tuple(every.tones[i] for i in left),
    )
    by_class = _crossed(every.classes, every.tones)
    kept = task.file.tones.keep_unknown
    return UnknownTones(by_class, kept, _moved(by_class, kept, _events(task, every, by_class)))


def unknown_labels(dataset: Dataset, metadata: Metadata) -> dict[str, UnknownTones]:
    """The labels of a data set crossed with unknown tone on each of its axes, whatever its tasks ask."""
    labels = metadata.columns[dataset.file.label_column]
    flags = ["malignant" if flag else "" for flag in malignant_flags(dataset, metadata)]
    found = {}
    for axis, tones in metadata.tones.items():
        by_label = _crossed(labels, tones)
        malignant = {name: n for name, n in _crossed(flags, tones).items() if name}
        found[axis] = UnknownTones(by_label, None, _moved(by_label, None, malignant or by_label))
    return found


def _crossed(names: Sequence[str], tones: Sequence[str | None]) -> dict[str, tuple[int, int]]:
    """How many images of each name have a tone and have none; names sorted."""
    counts = Counter(zip(names, (tone is None for tone in tones), strict=True))
    return {name: (counts[name, False], counts[name, True]) for name in sorted(set(names))}


def _events(
    task: Task, rows: SelectedRows, by_class: Mapping[str, tuple[int, int]]
) -> Mapping[str, tuple[int, int]]:
    """The classes whose share is looked at, with and without a tone: the positive ones together, or each by itself."""
    positive = positive_classes(task, rows, list(by_class))
    if not positive:
        return by_class
    known, unknown = (sum(by_class[name][i] for name in positive) for i in (0, 1))
    return {" or ".join(positive): (known, unknown)}


def _moved(
    by_class: Mapping[str, tuple[int, int]],
    kept: bool | None,
    events: Mapping[str, tuple[int, int]],
) -> str:
    known, unknown = (sum(n[i] for n in by_class.values()) for i in (0, 1))
    n_all = known + unknown
    if not known or not unknown:
        return ""
    moves = []
    for event, (with_tone, without) in events.items():
        before, after = (with_tone + without) / n_all, with_tone / known
        moves.append((abs(after - before), event, before, after))
    size, event, before, after = max(moves)
    if size < _MOVES:
        return ""
    verb = "leaving them out moves" if kept is False else "leaving them out would move"
    return f"{verb} {event} from {100 * before:.1f} to {100 * after:.1f} % of images"
