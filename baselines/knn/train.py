"""k nearest neighbours by cosine similarity in frozen features, once for each number of neighbours."""

import numpy as np

from tonegap_kit.command import Stage, main, progress
from tonegap_kit.errors import StageError
from tonegap_kit.feature_bank import Features, Matrix, read_training_part
from tonegap_kit.partition import Codes
from tonegap_kit.probes import HeldOutFeatures, labelled

_AT_ONCE = 512


def votes(near: Matrix, y: Codes, n_classes: int, temperature: float) -> Matrix:
    """Probabilities [n, k]: each neighbour [n, m] votes for its class with weight exp(similarity / temperature)."""
    weight = np.exp((near - near[:, :1]) / temperature)
    found = np.zeros((len(near), n_classes))
    for label in range(n_classes):
        found[:, label] = (weight * (y == label)).sum(axis=1)
    shares: Matrix = found / found.sum(axis=1, keepdims=True)
    return shares


def train(stage: Stage) -> None:
    """Leaves predictions; epoch i is the i-th number of neighbours, from the largest to the smallest."""
    job, data, asked = stage.job, read_training_part(stage), HeldOutFeatures(stage)
    rows, counts = labelled(data), sorted(set(job.integers("neighbours")), reverse=True)
    if not counts or counts[-1] < 1 or job.real("temperature") <= 0:
        raise StageError(
            "neighbours or temperature is too small, wanted 1 or more of each, and above 0"
        )
    known, wanted = (_directions(of) for of in (data.x[rows], asked.x))
    y, largest = data.y[rows], min(counts[0], len(rows))
    epochs = {i: np.empty((len(wanted), len(job.classes))) for i in range(1, len(counts) + 1)}
    for start in range(0, len(wanted), _AT_ONCE):
        here = slice(start, start + _AT_ONCE)
        similar = wanted[here] @ known.T
        near = _nearest(similar, largest)
        value = np.take_along_axis(similar, near, axis=1).astype(np.float64)
        for number, count in enumerate(counts, start=1):
            chosen = y[near[:, :count]]
            epochs[number][here] = votes(
                value[:, :count], chosen, len(job.classes), job.real("temperature")
            )
        progress(min(start + _AT_ONCE, len(wanted)), len(wanted))
    asked.leave(epochs, {"neighbours": counts, "n_training": len(rows)})


def _nearest(similar: Features, n: int) -> Codes:
    """Columns of the n largest of each row, the largest first, equal ones in order of columns."""
    least = np.partition(similar, -n, axis=1)[:, -n, None]
    equal, above = similar == least, similar > least
    # What a partition does with equal ones is up to the processor: here the first of them are taken.
    missing = n - above.sum(axis=1, keepdims=True)
    chosen = np.nonzero(above | (equal & (equal.cumsum(axis=1) <= missing)))[1].reshape(-1, n)
    order = np.argsort(-np.take_along_axis(similar, chosen, axis=1), axis=1, kind="stable")
    return np.take_along_axis(chosen, order, axis=1)


def _directions(x: Features) -> Features:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return (x / np.where(length > 0, length, 1)).astype(np.float32)


if __name__ == "__main__":
    main(train=train)
