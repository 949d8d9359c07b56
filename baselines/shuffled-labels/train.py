"""Control: labels permuted among the training images, so that there is nothing to learn."""

from dataclasses import replace

from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main


def train(stage: Stage) -> None:
    """Leaves the predictions of a classifier trained on wrong labels; the held-out ones stay right."""
    data = read_training_data(stage)
    y = stage.rng("labels").permutation(data.train.y)
    data = replace(data, train=replace(data.train, y=y))
    train_classifier(stage, data, TrainingHooks(draw=draw_named(stage.job.text("sampler"), y)))


if __name__ == "__main__":
    main(train=train)
