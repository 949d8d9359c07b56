"""Reweighting: an image's loss weighs more where its tone has fewer of its class than chance."""

import numpy as np

from tonegap_kit.baseline import Idea, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.sampling import reweighing


def train(stage: Stage) -> None:
    """Leaves the predictions of a classifier trained with weights, on rows drawn uniformly."""
    data = read_training_data(stage)
    idea = Idea(draw=np.ones(len(data.train)), weights=reweighing(data.train.y, data.train.t))
    train_classifier(stage, data, idea)


if __name__ == "__main__":
    main(train=train)
