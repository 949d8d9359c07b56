"""Reweighting: an image's loss weighs more where its tone has fewer of its class than chance."""

import numpy as np

from tonegap_kit.baseline import TrainingHooks, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.counts import read_counts, reweighing_by
from tonegap_kit.sampling import reweighing


def train(stage: Stage) -> None:
    """Leaves the predictions of a classifier trained with weights, on rows drawn uniformly."""
    data, counts = read_training_data(stage), stage.file("counts")
    if counts is None:
        weights = reweighing(data.train.y, data.train.t)
    else:
        weights = reweighing_by(read_counts(counts, stage.job), data.train.y, data.train.t)
    train_classifier(stage, data, TrainingHooks(draw=np.ones(len(data.train)), weights=weights))


if __name__ == "__main__":
    main(train=train)
