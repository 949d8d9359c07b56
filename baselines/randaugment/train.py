"""RandAugment: random operations of one strength are done to each training image."""

from tonegap_kit.augment import random_operations
from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main


def train(stage: Stage) -> None:
    """Leaves the predictions of a classifier trained on images with random operations."""
    data = read_training_data(stage)
    augment = random_operations(stage.job.integer("operations"), stage.job.integer("magnitude"))
    draw = draw_named(stage.job.text("sampler"), data.train.y)
    train_classifier(stage, data, TrainingHooks(draw=draw, augment=augment))


if __name__ == "__main__":
    main(train=train)
