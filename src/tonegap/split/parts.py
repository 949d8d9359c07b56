"""The partition of a metadata file's images: what a split hands to everything after it."""

from collections import Counter
from collections.abc import Container
from dataclasses import dataclass, replace

PARTITIONS = ("train", "validation", "test", "unused")


@dataclass(frozen=True, slots=True)
class SplitAssignment:
    """Where every image of a metadata file goes; all aligned with its rows.

    `labels` are the task's class names, None where unused. `tones` are those of the task's axis,
    None where unknown. `classes` spells out the task's classes ("all" included), `positive` those
    that together are the event of sensitivity and specificity. `without_tone`: images of one of the classes that
    are unused because nobody knows their tone.
    """

    ids: tuple[str, ...]
    parts: tuple[str, ...]
    labels: tuple[str | None, ...]
    tones: tuple[str | None, ...]
    classes: tuple[str, ...] = ()
    positive: tuple[str, ...] = ()
    without_tone: tuple[str, ...] = ()

    def members(self, part: str) -> tuple[str, ...]:
        """The ids of one partition, in file order."""
        return tuple(i for i, p in zip(self.ids, self.parts, strict=True) if p == part)

    def only(self, kept: Container[str]) -> "SplitAssignment":
        """The same with every image unused whose id is not among those kept."""
        here = [image_id in kept for image_id in self.ids]
        parts = tuple(part if h else "unused" for part, h in zip(self.parts, here, strict=True))
        labels = tuple(label if h else None for label, h in zip(self.labels, here, strict=True))
        return replace(self, parts=parts, labels=labels)

    @property
    def n_without_tone(self) -> int:
        """How many images of the classes are unused because nobody knows their tone."""
        return len(self.without_tone)

    @property
    def sizes(self) -> dict[str, int]:
        """The number of images in each partition."""
        counts = Counter(self.parts)
        return {part: counts[part] for part in PARTITIONS}
