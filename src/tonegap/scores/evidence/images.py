"""What an interval rests on: the test images of one task and seed, and what an entry said of them.

The mistake it exists to prevent: photographs of one lesion counted as independent evidence.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

import numpy as np

from tonegap.arrays import BoolArray, FloatArray, IntArray
from tonegap.scores.counts import event_scores, event_truth
from tonegap.scores.rules import ScoringRules


@dataclass(frozen=True, eq=False)
class TestAnswers:
    """One cell's answers to the test images at the epoch that one rule picked, aligned [n].

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
        index = {name: i for i, name in enumerate(self.classes)}
        return np.array([index[label] for label in self.labels], dtype=np.int64)


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

    @property
    def fewest_units(self) -> int:
        """How many near-duplicate groups the tone with the fewest has; tones without images left out."""
        tones = range(len(self.tones))
        counted = [len(np.unique(self.unit[self.tone == tone])) for tone in tones]
        return min((n for n in counted if n), default=len(np.unique(self.unit)))


def tone_indices(names: Sequence[str | None], tones: Sequence[str]) -> IntArray:
    """Index of each name among `tones`, -1 for one that is not there, [n]."""
    index = {tone: i for i, tone in enumerate(tones)}
    return np.array([index.get(name or "", -1) for name in names], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Answers:
    """What one entry said of each image.

    With k classes and m events: `predicted` [n], `confidence` [n] of it, and for each event whether
    the image is positive, is predicted positive, and with which probability, [n, m].
    """

    n_classes: int
    predicted: IntArray
    confidence: FloatArray
    positive: BoolArray
    called: BoolArray
    score: FloatArray


def answers(p: FloatArray, y: IntArray, rules: ScoringRules) -> Answers:
    """An entry's answers from its probabilities `p` [n, k]; the first class wins a tie."""
    predicted = p.argmax(axis=1)
    score = event_scores(p, rules)
    called = event_truth(predicted, rules)
    if rules.threshold is not None:
        called = score >= rules.threshold
    return Answers(p.shape[1], predicted, p.max(axis=1), event_truth(y, rules), called, score)
