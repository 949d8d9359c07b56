"""Few shots: the nearest class mean, of a few training images of each class, in centred frozen features."""

import numpy as np

from tonegap_kit.command import Stage, main
from tonegap_kit.errors import StageError
from tonegap_kit.feature_bank import Matrix, read_training_part
from tonegap_kit.partition import Codes
from tonegap_kit.probes import HeldOutFeatures, labelled, likeliest


def drawn_shots(y: Codes, shots: int, rng: np.random.Generator) -> Codes:
    """Rows of `shots` images of every class, drawn without replacement; all of a class that has fewer."""
    drawn = [rng.permutation((y == label).nonzero()[0])[:shots] for label in np.unique(y)]
    return np.sort(np.concatenate(drawn))


def nearness(x: Matrix, means: Matrix) -> Matrix:
    """Probabilities [n, k]: softmax of minus the squared distances to the class means [k, d]; 0 for a mean of NaN."""
    there = np.isfinite(means[:, 0])
    here = np.where(
        there[:, None], means, 0.0
    )  # whatever stands for the others, `likeliest` leaves out
    distance = np.stack([((x - mean) ** 2).sum(axis=1) for mean in here], axis=1)
    return likeliest(-distance, there)


def train(stage: Stage) -> None:
    """Leaves the predictions of one epoch."""
    job, data, asked = stage.job, read_training_part(stage), HeldOutFeatures(stage)
    if job.integer("shots") < 1:
        raise StageError("shots is 0, wanted 1 or more images of each class")
    rows = labelled(data)
    rows = rows[drawn_shots(data.y[rows], job.integer("shots"), stage.rng("shots"))]
    few = data.x[rows].astype(np.float64)
    centre = few.mean(axis=0)
    shots, wanted = (_directions(of - centre) for of in (few, asked.x))
    means = np.full((len(job.classes), shots.shape[1]), np.nan)
    for label in np.unique(data.y[rows]):
        means[label] = shots[data.y[rows] == label].mean(axis=0)
    asked.leave({1: nearness(wanted, means)}, {"n_training": len(rows)})


def _directions(x: Matrix) -> Matrix:
    length = np.linalg.norm(x, axis=1, keepdims=True)
    return x / np.where(length > 0, length, 1.0)


if __name__ == "__main__":
    main(train=train)
