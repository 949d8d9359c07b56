"""Resampling by tone: every tone of the training images is sampled equally often, whatever its classes."""

import numpy as np

from tonegap_kit.baseline import TrainingHooks, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.sampling import cell_balanced
from tonegap_kit.told_groups import told_groups


def train(stage: Stage) -> None:
    """Leaves the predictions of a classifier that met all tones equally often."""
    stage, data = told_groups(stage, read_training_data(stage))
    one_class = np.zeros_like(data.train.y)
    train_classifier(stage, data, TrainingHooks(draw=cell_balanced(one_class, data.train.t)))


if __name__ == "__main__":
    main(train=train)
