"""Empirical risk minimisation: the mean cross-entropy over training images, whoever they show."""

from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main


def train(stage: Stage) -> None:
    """Leaves the predictions of a classifier trained without regard to tones."""
    data = read_training_data(stage)
    train_classifier(
        stage, data, TrainingHooks(draw=draw_named(stage.job.text("sampler"), data.train.y))
    )


if __name__ == "__main__":
    main(train=train)
