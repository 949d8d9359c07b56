"""Linear probe: logistic regression on frozen features, once for each strength of its penalty."""

from dataclasses import replace

import numpy as np

from softmax import fit, problem
from tonegap_kit.command import Stage, main, progress
from tonegap_kit.errors import StageError
from tonegap_kit.feature_bank import read_training_part, scaled
from tonegap_kit.probes import HeldOutFeatures, labelled, likeliest


def train(stage: Stage) -> None:
    """Leaves predictions; epoch i is the i-th penalty, from the strongest to the weakest."""
    job, data, asked = stage.job, read_training_part(stage), HeldOutFeatures(stage)
    penalties = sorted(positive_numbers(stage, "penalties"), reverse=True)
    rows, n_classes = labelled(data), len(job.classes)
    x, x_asked = scaled(data.x[rows], asked.x)
    told = problem(x, data.y[rows], n_classes, 0.0, balanced=job.flag("class_balanced"))
    there = np.bincount(data.y[rows], minlength=n_classes) > 0
    layer = np.zeros((x.shape[1] + 1, n_classes))
    epochs, n_steps = {}, []
    for number, penalty in enumerate(penalties, start=1):
        asked_for = replace(told, penalty=penalty)
        layer, taken = fit(asked_for, layer, job.integer("steps"), job.real("tolerance"))
        epochs[number] = likeliest(x_asked @ layer[:-1].astype(np.float32) + layer[-1], there)
        n_steps.append(taken)
        progress(number, len(penalties))
    asked.leave(epochs, {"penalties": penalties, "steps": n_steps, "n_training": len(rows)})


def positive_numbers(stage: Stage, name: str) -> tuple[float, ...]:
    """The parameter `name`, a list of numbers above 0 that are all different. Raises StageError for anything else."""
    values = stage.job.parameters.get(name)
    if (
        not isinstance(values, list)
        or not values
        or not all(type(value) in {int, float} and value > 0 for value in values)
        or len(set(values)) < len(values)
    ):
        raise StageError(f"{name} is {values!r}, wanted a list of different numbers above 0")
    return tuple(float(value) for value in values)


if __name__ == "__main__":
    main(train=train)
