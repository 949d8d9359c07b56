"""The partition of a metadata file's images: what a split hands to everything after it."""

from collections import Counter
from dataclasses import dataclass

PARTITIONS = ("train", "validation", "test", "unused")


@dataclass(frozen=True, slots=True)
class SplitAssignment:
    """Where every image of a metadata file goes; all aligned with its rows.

    `labels` are the task's class names, None where unused. `tones` are those of the task's axis,
    None where unknown. `classes` spells out the task's classes ("all" included), `positive` those
    that together are the event of sensitivity and specificity. `n_without_tone`: images of one of the classes that
    are unused because nobody knows their tone.
    """

    ids: tuple[str, ...]
    parts: tuple[str, ...]
    labels: tuple[str | None, ...]
    tones: tuple[str | None, ...]
    classes: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    n_without_tone: int = 0

    def members(self, part: str) -> tuple[str, ...]:
        """The ids of one partition, in file order."""
        return tuple(i for i, p in zip(self.ids, self.parts, strict=True) if p == part)

    @property
    def sizes(self) -> dict[str, int]:
        """The number of images in each partition."""
        counts = Counter(self.parts)
        return {part: counts[part] for part in PARTITIONS}
