"""k nearest neighbours by cosine similarity in frozen features, once for each number of neighbours."""

import numpy as np

from tonegap_kit.command import Stage, main, progress
from tonegap_kit.errors import StageError
from tonegap_kit.feature_bank import Matrix, read_training_part
from tonegap_kit.partition import Codes
from tonegap_kit.probes import Asked, labelled

_AT_ONCE = 512


def votes(near: Matrix, y: Codes, n_classes: int, temperature: float) -> Matrix:
    """Probabilities [n, k]: each neighbour [n, m] votes for its class with weight exp(similarity / temperature)."""
    weight = np.exp((near - near[:, :1]) / temperature)
    found = np.zeros((len(near), n_classes))
    for label in range(n_classes):
        found[:, label] = (weight * (y == label)).sum(axis=1)
    return found / found.sum(axis=1, keepdims=True)


def train(stage: Stage) -> None:
    """Leaves predictions; epoch i is the i-th number of neighbours, from the largest to the smallest."""
    job, data, asked = stage.job, read_training_part(stage), Asked(stage)
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
        similar = (wanted[here] @ known.T).astype(np.float64)
        # Equal similarities in order of rows, so that the same bank gives the same neighbours.
        near = np.argsort(-similar, axis=1, kind="stable")[:, :largest]
        value = np.take_along_axis(similar, near, axis=1)
        for number, count in enumerate(counts, start=1):
            chosen = y[near[:, :count]]
            epochs[number][here] = votes(
                value[:, :count], chosen, len(job.classes), job.real("temperature")
            )
        progress(min(start + _AT_ONCE, len(wanted)), len(wanted))
    asked.leave(epochs, {"neighbours": counts, "n_training": len(rows)})


def _directions(x: Matrix) -> np.ndarray:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return (x / np.where(length > 0, length, 1.0)).astype(np.float32)


if __name__ == "__main__":
    main(train=train)
