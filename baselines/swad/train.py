"""SWAD: the mean of the weights over the stretch where the validation loss has fallen and not yet risen."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn

from averaging import (
    Patience,
    WeightMean,
    counted_as_published,
    flat_stretch,
    refresh_batch_statistics,
)
from tonegap_kit.baseline import (
    TrainingData,
    TrainingHooks,
    draw_named,
    read_training_data,
    train_classifier,
)
from tonegap_kit.command import Stage, main, say
from tonegap_kit.partition import UNKNOWN, pick
from tonegap_kit.sources import ImageSource, in_batches
from tonegap_kit.training import predict, read_recipe
from tonegap_kit.training_images import centre_crop
from tonegap_kit.views import viewer

_BATCH = 256


class Swad:
    """The state of the averaging: the mean of weights, and the validation loss after each epoch."""

    def __init__(self, stage: Stage, data: TrainingData) -> None:
        job = stage.job
        self.mean = WeightMean()
        self._losses: list[float] = []
        self._published = job.text("stretch") == "published"
        self._final: nn.Module | None = None
        self._patience = Patience(
            job.integer("optimum_patience"), job.integer("overfit_patience"), job.real("tolerance")
        )
        self._share, self._recipe = centre_crop(stage), read_recipe(job)
        self._view = viewer(stage)
        self._validation = pick(data.held_out, (data.held_out.y != UNKNOWN).nonzero()[0])
        order = stage.rng("statistics").permutation(len(data.train))
        self._seen = pick(data.train, order[: job.integer("statistics_images")])

    def predicts(self, network: nn.Module, number: int) -> nn.Module:
        """The mean over the flat stretch as known after this epoch; before it begins the network."""
        if self._final is not None:
            return self._final
        epoch, device = number - 1, next(network.parameters()).device
        self.mean.close_epoch(epoch)
        self._losses.append(self._validation_loss(network, device))
        if self._published:
            return self._counted(network, device)
        stretch = flat_stretch(self._losses, self._patience)
        if stretch is None:
            self.mean.forget(epoch - self._patience.optimum + 2, 0)
            return network
        say(
            f"epoch {number}: weights are averaged over epochs {stretch[0] + 1} to {stretch[1] + 1}"
        )
        averaged = self.mean.over(network, *stretch)
        self.mean.forget(stretch[0], epoch - self._patience.overfit + 1)
        refresh_batch_statistics(averaged, self._batches(device))
        if stretch[1] < epoch:
            self._final = averaged
        return averaged

    def _counted(self, network: nn.Module, device: torch.device) -> nn.Module:
        """The mean that published code would give if training ended after this epoch."""
        epochs = counted_as_published(self._losses, self._patience)
        say(f"weights are averaged over epochs {', '.join(str(epoch + 1) for epoch in epochs)}")
        averaged = self.mean.counted(network, epochs)
        refresh_batch_statistics(averaged, self._batches(device))
        return averaged

    def _validation_loss(self, network: nn.Module, device: torch.device) -> float:
        source = ImageSource(self._validation.pictures, self._share, device, view=self._view)
        p = predict(network, source, self._recipe)
        of_truth = p[np.arange(len(p)), self._validation.y]
        return float(-np.log(of_truth.clip(1e-12)).mean())

    def _batches(self, device: torch.device) -> Iterator[Tensor]:
        source = ImageSource(self._seen.pictures, self._share, device, view=self._view)
        return (source.take(rows) for rows in in_batches(torch.arange(len(source)), _BATCH))


def train(stage: Stage) -> None:
    """Leaves the predictions of averaged weights."""
    data = read_training_data(stage)
    swad = Swad(stage, data)
    hooks = TrainingHooks(
        draw=draw_named(stage.job.text("sampler"), data.train.y),
        after_step=swad.mean.add,
        after_epoch=swad.predicts,
        as_images=True,
    )
    train_classifier(stage, data, hooks)


if __name__ == "__main__":
    main(train=train)
