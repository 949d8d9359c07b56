"""mixup: each image of a batch is faded into another one, and the loss asks for both classes."""

from torch import Tensor, nn

from blending import blend
from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import generator
from tonegap_kit.mixing import draw_share, mixed_cross_entropy
from tonegap_kit.training import Batch


def train(stage: Stage) -> None:
    """Leaves the predictions of a classifier trained on mixed images."""
    data = read_training_data(stage)
    alpha, rng = stage.job.real("alpha"), generator(stage.seed_of("mixup"))

    def loss(model: nn.Module, batch: Batch) -> Tensor:
        return mixed_cross_entropy(model, batch, blend(batch.x, draw_share(alpha, rng), rng))

    draw = draw_named(stage.job.text("sampler"), data.train.y)
    train_classifier(stage, data, TrainingHooks(draw=draw, loss=loss, as_images=True))


if __name__ == "__main__":
    main(train=train)
