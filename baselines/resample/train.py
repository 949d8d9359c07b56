"""Resampling: every (tone, class) cell of the training images is sampled equally often."""

from tonegap_kit.baseline import TrainingHooks, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.counts import cell_balanced_by, read_counts
from tonegap_kit.sampling import cell_balanced


def train(stage: Stage) -> None:
    """Leaves the predictions of a classifier that met all cells equally often."""
    data, counts = read_training_data(stage), stage.file("counts")
    if counts is None:
        draw = cell_balanced(data.train.y, data.train.t)
    else:
        draw = cell_balanced_by(read_counts(counts, stage.job), data.train.y, data.train.t)
    train_classifier(stage, data, TrainingHooks(draw=draw))


if __name__ == "__main__":
    main(train=train)
