"""Near-duplicates that cross a split: the same picture in the test set and in what was trained on.

Published splits keep them (see the pages on each data set); a report says how many and in which
tones, for a tone whose test images were seen in training looks better than it is.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tonegap.data.metadata import Metadata
from tonegap.formats.record import GroupLeak
from tonegap.split.grouped import group_leak
from tonegap.split.parts import SplitAssignment
from tonegap.texts import is_label


@dataclass(frozen=True, slots=True)
class CrossingGroup:
    """A duplicate group with images on both sides: test, and training or validation; ids sorted."""

    number: int
    test: tuple[str, ...]
    seen: tuple[str, ...]


def crossing_groups(made: SplitAssignment, groups: Mapping[str, int]) -> list[CrossingGroup]:
    """The duplicate groups that cross the split, by number.

    `groups`: image id -> number of its duplicate group. Images that are not in it (no file) or
    are unused are left out.
    """
    test: dict[int, list[str]] = {}
    seen: dict[int, list[str]] = {}
    for image_id, part in zip(made.ids, made.parts, strict=True):
        if part != "unused" and image_id in groups:
            (test if part == "test" else seen).setdefault(groups[image_id], []).append(image_id)
    return [
        CrossingGroup(number, tuple(sorted(test[number])), tuple(sorted(seen[number])))
        for number in sorted(test.keys() & seen.keys())
    ]


def leaked_by_tone(
    made: SplitAssignment, crossing: Sequence[CrossingGroup]
) -> dict[str | None, int]:
    """How many test images of each tone have a near-duplicate in training or validation."""
    tone_of = dict(zip(made.ids, made.tones, strict=True))
    return dict(Counter(tone_of[i] for group in crossing for i in group.test))


def split_lines(
    sizes: Mapping[str, int], n_kept: int, n_without_tone: int, leaks: Mapping[str, GroupLeak]
) -> list[str]:
    """What a person should know of a split before a number: images of unknown tone, and patients on both sides.

    `n_kept` images of unknown tone take part, `n_without_tone` of the task's classes do not.
    """
    lines = [leak.text(name, sizes["test"], sizes["validation"]) for name, leak in leaks.items()]
    if n_without_tone:
        return [f"images of unknown tone: {n_without_tone:,} left out", *lines]
    return [f"images of unknown tone: {n_kept:,} kept", *lines] if n_kept else lines


def group_leaks(metadata: Metadata, made: SplitAssignment) -> dict[str, GroupLeak]:
    """What crosses between partitions by each group column of the data set; both have the same rows."""
    return {name: group_leak(cells, made.parts) for name, cells in metadata.groups.items()}


def n_of_held_out(metadata: Metadata, made: SplitAssignment) -> int:
    """How many training images are of a patient, or another group, of which validation or test images are too."""
    found: set[int] = set()
    for cells in metadata.groups.values():
        own = [cell.strip() if is_label(cell) else "" for cell in cells]
        rows = list(zip(own, made.parts, strict=True))
        held_out = {cell for cell, part in rows if cell and part in {"validation", "test"}}
        found.update(
            i for i, (cell, part) in enumerate(rows) if part == "train" and cell in held_out
        )
    return len(found)
