"""CutMix: each image of a batch gets a rectangle of another one, and the loss asks for both classes."""

import torch
from torch import Tensor, nn

from patching import patch
from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import generator
from tonegap_kit.errors import StageError
from tonegap_kit.mixing import draw_share, mixed_cross_entropy
from tonegap_kit.training import Batch, cross_entropy


def train(stage: Stage) -> None:
    """Leaves the predictions of a classifier trained on images with pasted rectangles."""
    data = read_training_data(stage)
    alpha, probability = stage.job.real("alpha"), stage.job.real("probability")
    if not 0 <= probability <= 1:
        raise StageError(f"probability is {probability}, wanted a share of the steps, 0 to 1")
    rng = generator(stage.seed_of("cutmix"))

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        if torch.rand((), generator=rng) >= probability:
            return cross_entropy(model, batch)
        return mixed_cross_entropy(model, batch, patch(batch.x, draw_share(alpha, rng), rng))

    draw = draw_named(stage.job.text("sampler"), data.train.y)
    train_classifier(stage, data, TrainingHooks(draw=draw, loss=loss, as_images=True))


if __name__ == "__main__":
    main(train=train)
