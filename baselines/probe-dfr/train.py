"""DFR on frozen features: the mean of logistic regressions, each on as many images of every tone and class."""

import numpy as np

from proximal import fit
from tonegap_kit.command import Stage, main, progress
from tonegap_kit.errors import StageError
from tonegap_kit.feature_bank import Matrix, read_training_part, scaled
from tonegap_kit.partition import Codes
from tonegap_kit.probes import HeldOutFeatures, labelled, likeliest


def balanced_rows(y: Codes, t: Codes, rng: np.random.Generator) -> Codes:
    """As many rows of every (tone, class) cell that has any as the smallest has, drawn without replacement."""
    cell = t * (y.max() + 1) + y
    cells, counts = np.unique(cell, return_counts=True)
    drawn = [rng.permutation((cell == one).nonzero()[0])[: counts.min()] for one in cells]
    return np.sort(np.concatenate(drawn))


def train(stage: Stage) -> None:
    """Leaves the predictions of one epoch."""
    job, data, asked = stage.job, read_training_part(stage), HeldOutFeatures(stage)
    if job.integer("subsets") < 1 or job.integer("steps") < 1 or job.real("l1") < 0:
        raise StageError(
            "subsets, steps or l1 is too small, wanted 1 or more of each, and l1 of 0 or more"
        )
    rows, rng, n_classes = (
        labelled(data, toned=True),
        stage.rng("balanced subsets"),
        len(job.classes),
    )
    x, x_asked = scaled(data.x[rows], asked.x)
    scores: Matrix = np.zeros((len(x_asked), n_classes))
    for number in range(job.integer("subsets")):
        drawn = balanced_rows(data.y[rows], data.t[rows], rng)
        layer = fit(x[drawn], data.y[rows][drawn], n_classes, job.real("l1"), job.integer("steps"))
        scores += (x_asked @ layer[:-1].astype(np.float32) + layer[-1]) / job.integer("subsets")
        progress(number + 1, job.integer("subsets"))
    there = np.bincount(data.y[rows], minlength=n_classes) > 0
    asked.leave(
        {1: likeliest(scores, there)}, {"n_of_a_subset": len(drawn), "n_training": len(rows)}
    )


if __name__ == "__main__":
    main(train=train)
