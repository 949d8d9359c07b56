"""How many images a published split had of each tone and class, and the weights that follow from it.

The code of FairDisCo and PatchAlign computes its weights on training and test images together. A stage never
learns test labels, so a run that is to show the difference is given the counts as a file: a CSV with the
columns `tone`, `label` and `images`.
"""

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.errors import StageError
from tonegap_kit.job import Job
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.sampling import Codes, Weights

Counts = NDArray[np.int64]  # [tones, classes]
_COLUMNS = ["tone", "label", "images"]


def read_counts(path: Path, job: Job) -> Counts:
    """The counts [tones, classes] in a file; 0 where it has no row.

    Raises StageError for another table, a tone or class that the task has not, and a wrong number.
    """
    counts = np.zeros((len(job.tones), len(job.classes)), dtype=np.int64)
    try:
        with path.open(encoding="utf-8", newline="") as f:
            table = csv.DictReader(f)
            if table.fieldnames != _COLUMNS:
                raise StageError(f"{path}: the columns are {table.fieldnames}, wanted {_COLUMNS}")
            for row in table:
                counts[job.tones.index(row["tone"]), job.classes.index(row["label"])] = int(
                    row["images"]
                )
    except (OSError, UnicodeDecodeError, csv.Error, ValueError) as problem:
        raise StageError(
            f"{path}: is no table of the task's tones and classes: {problem}"
        ) from None
    if counts.min() < 0 or counts.max() == 0:
        raise StageError(f"{path}: holds a negative count or no images at all")
    return counts


def cell_balanced_by(counts: Counts, y: Codes, t: Codes) -> Weights:
    """1 / (counted images of the row's tone and class), as `sampling.cell_balanced` has it of its rows."""
    known = _known(counts, y, t)
    return np.where(known, 1 / counts[t, y].clip(1), 0.0)


def reweighing_by(counts: Counts, y: Codes, t: Codes) -> Weights:
    """N_tone * N_class / (N_cell * N) by the counts, as `sampling.reweighing` has it of its rows."""
    known = _known(counts, y, t)
    expected = counts.sum(axis=1)[t] * counts.sum(axis=0)[y]
    return np.where(known, expected / (counts[t, y].clip(1) * counts.sum()), 1.0)


def _known(counts: Counts, y: Codes, t: Codes) -> NDArray[np.bool_]:
    known = t != UNKNOWN
    if (counts[t[known], y[known]] == 0).any():
        raise StageError(
            "counts: a training image is of a tone and class that has no images in the counts"
        )
    return np.asarray(known)
