"""CIRCLe: features of an image and of the same lesion on skin of another tone should be equal."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tone_transfer import Images, Rows, ToneTransfer, tone_transfer_named
from tonegap_kit.augment import centre
from tonegap_kit.backbones import Classifier
from tonegap_kit.baseline import (
    TrainingData,
    TrainingHooks,
    draw_named,
    read_training_data,
    train_classifier,
)
from tonegap_kit.command import Stage, main
from tonegap_kit.determinism import device_of, generator
from tonegap_kit.sources import normalise
from tonegap_kit.training import Batch
from tonegap_kit.training_images import centre_crop
from tonegap_kit.views import viewer


class Narrow(nn.Module):
    """A classifier whose classes are told from few features, which can be asked for."""

    def __init__(self, classifier: Classifier, n_features: int, n_classes: int) -> None:
        super().__init__()
        self.classifier = classifier
        self.narrow = nn.Linear(classifier.width, n_features)
        self.head = nn.Linear(n_features, n_classes)

    def features(self, x: Tensor) -> Tensor:
        """Features [b, n_features] of a batch."""
        narrow: Tensor = self.narrow(self.classifier.features(x))
        return narrow

    def forward(self, x: Tensor) -> Tensor:
        """Scores [b, n_classes] of a batch."""
        scores: Tensor = self.head(self.features(x))
        return scores


class Circle:
    """The loss, with what it needs: the training images as they are, and what gives them another tone."""

    def __init__(self, stage: Stage, data: TrainingData, retone: ToneTransfer) -> None:
        self._data, self._retone, self._share = data, retone, centre_crop(stage)
        self._view = viewer(stage)
        self._strength = stage.job.real("regularisation")
        self._seeds = stage.rng("both alike")

    def loss(self, network: Narrow, batch: Batch) -> Tensor:
        """Mean weighted cross-entropy plus the regularisation times the mean squared difference of features."""
        rows = batch.rows.numpy()
        images = self._data.train.pictures.take(rows)
        seed = int(self._seeds.integers(2**62))
        features = network.features(self._seen(images, rows, seed, batch.y.device))
        losses = functional.cross_entropy(network.head(features), batch.y, reduction="none")
        loss = (losses * batch.w).mean()
        places, retoned = self._retone(rows)
        if not len(places):
            return loss
        images[places] = retoned
        other = network.features(self._seen(images, rows, seed, batch.y.device)[places])
        return loss + self._strength * functional.mse_loss(features[places], other)

    def _seen(self, images: Images, rows: Rows, seed: int, device: torch.device) -> Tensor:
        """The images of these rows as the network sees them; the same seed moves and turns them alike."""
        told = self._data.train.pictures.aspects(rows)
        aspect = None if told is None else torch.from_numpy(told)
        pictures = torch.from_numpy(images.copy()).to(device)
        pictures = self._view.random(pictures, aspect, generator(seed))
        return normalise(centre(pictures, self._share))


def narrowed(stage: Stage, classifier: Classifier) -> Narrow:
    """The network of the job around its backbone."""
    return Narrow(classifier, stage.job.integer("features"), len(stage.job.classes))


def train(stage: Stage) -> None:
    """Leaves the predictions of a classifier whose features should not tell an image's tone."""
    data = read_training_data(stage)
    circle = Circle(
        stage, data, tone_transfer_named(stage, data.train, device_of(stage.job.device))
    )
    draw = draw_named(stage.job.text("sampler"), data.train.y)
    train_classifier(
        stage, data, TrainingHooks(draw=draw, loss=circle.loss, build=narrowed, as_images=True)
    )


if __name__ == "__main__":
    main(train=train)
