"""What baselines on features share: what is asked for, and the predictions they leave. Without torch."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.command import Stage, progress
from tonegap_kit.errors import StageError
from tonegap_kit.feature_bank import BankPart, Features, Matrix, read_bank_part
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.predictions import write_notes, write_predictions


class HeldOutFeatures:
    """The validation images, then the test images: `x` [n, d] are their features."""

    def __init__(self, stage: Stage) -> None:
        """Reads both. Raises StageError as `read_bank_part` does."""
        parts = [read_bank_part(stage, name) for name in ("validation", "test")]
        self._stage = stage
        self._ids = parts[0].ids + parts[1].ids
        self.x: Features = np.concatenate([part.x for part in parts])

    def leave(self, epochs: Mapping[int, Matrix], notes: Mapping[str, Any]) -> None:
        """Leaves the probabilities [n, k] of every epoch, and notes."""
        write_predictions(self._stage.out, self._ids, self._stage.job.classes, epochs)
        write_notes(self._stage.out, notes)
        progress(len(epochs), len(epochs))


def labelled(part: BankPart, *, toned: bool = False) -> NDArray[np.int64]:
    """The rows whose class is known, and their tone too where `toned`. Raises StageError where there is none."""
    known = part.y != UNKNOWN
    if toned:
        known &= part.t != UNKNOWN
    if not known.any():
        what = "tone and class" if toned else "class"
        raise StageError(f"train.csv: no image has a known {what}, wanted some")
    rows: NDArray[np.int64] = known.nonzero()[0]
    return rows


def likeliest(scores: Matrix, there: NDArray[np.bool_]) -> Matrix:
    """Probabilities [n, k], the softmax of scores [n, k]; 0 for a class that no training image has (`there` [k])."""
    scores = np.where(there, scores, -np.inf)
    weight = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: Matrix = weight / weight.sum(axis=1, keepdims=True)
    return found
