"""Holds the evidence of an interval: the test images of one task and seed, and an entry's answers to them.

The mistake it exists to prevent: photographs of one lesion counted as independent evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np

from tonegap.arrays import FloatArray, IntArray, class_indices


@dataclass(frozen=True, eq=False)
class TestAnswers:
    """One run's answers to the test images at the epoch that one rule picked, aligned [n].

    `labels` are class names, `tones` has None for unknown, `second_tones` those of a second annotation (empty: there
    is none), `units` numbers near-duplicate groups, `p` [n, k] follows `classes`. `threshold` calls an image positive
    from that probability on.
    """

    __test__ = False  # pytest takes the name for a test class

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    tones: tuple[str | None, ...]
    units: tuple[int, ...]
    classes: tuple[str, ...]
    p: FloatArray
    epoch: int
    threshold: float | None
    second_tones: tuple[str | None, ...] = ()

    @property
    def y(self) -> IntArray:
        """Class index of each image."""
        return class_indices(self.labels, self.classes)


@dataclass(frozen=True, eq=False)
class TestImages:
    """The test images that entries are compared on, aligned [n].

    `y` indexes the classes; `tone` indexes `tones`, -1 where it is unknown; `unit` numbers the
    near-duplicate group of each image: units, not images, are drawn.
    """

    __test__ = False  # pytest takes the name for a test class

    ids: tuple[str, ...]
    y: IntArray
    tone: IntArray
    unit: IntArray
    tones: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TestImages) and self.digest == other.digest

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def digest(self) -> bytes:
        """Names these images with their tones and units, whatever numbers the units have."""
        _, first, unit_of = np.unique(self.unit, return_index=True, return_inverse=True)
        rows = zip(self.ids, self.tone.tolist(), first[unit_of].tolist(), strict=True)
        return sha256(repr((self.tones, list(rows))).encode()).digest()

    @property
    def slots(self) -> IntArray:
        """Index of each image's tone, the unknown ones after the last, [n]."""
        slots: IntArray = np.where(self.tone < 0, len(self.tones), self.tone)
        return slots


def tone_indices(names: Sequence[str | None], tones: Sequence[str]) -> IntArray:
    """Index of each name among `tones`, -1 for one that is not there, [n]."""
    index = {tone: i for i, tone in enumerate(tones)}
    return np.array([index.get(name or "", -1) for name in names], dtype=np.int64)


def images_of(seed: TestAnswers, tones: tuple[str, ...]) -> TestImages:
    """The images of a seed's answers, on these tones."""
    return TestImages(
        seed.ids, seed.y, tone_indices(seed.tones, tones), np.array(seed.units), tones
    )
