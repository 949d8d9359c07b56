"""What an entry said of each test image: the evidence of intervals and comparisons."""

from dataclasses import dataclass

import numpy as np

from tonegap.arrays import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class TestAnswers:
    """One cell's answers to the test images at the epoch that one rule picked, aligned [n].

    `labels` are class names, `tones` has None for unknown, `units` numbers near-duplicate groups,
    `p` [n, k] follows `classes`. `threshold` calls an image positive from that probability on.
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

    @property
    def y(self) -> IntArray:
        """Class index of each image."""
        index = {name: i for i, name in enumerate(self.classes)}
        return np.array([index[label] for label in self.labels], dtype=np.int64)
