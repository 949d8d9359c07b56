"""Resampling: every (tone, class) cell of the training images is drawn equally often."""

from tonegap_kit.baseline import Idea, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.sampling import cell_balanced


def train(stage: Stage) -> None:
    """Leaves the predictions of a classifier that met all cells equally often."""
    data = read_training_data(stage)
    train_classifier(stage, data, Idea(draw=cell_balanced(data.train.y, data.train.t)))


if __name__ == "__main__":
    main(train=train)
