"""A `train` stage from its input files to its predictions, given a baseline's idea.

All that a baseline's own `train.py` has to bring is how training rows are drawn, what they weigh, or
another loss; a network of its own can be trained with `tonegap_kit.training` directly.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from tonegap_kit.augment import augmentation_named
from tonegap_kit.backbones import BackboneSpec, Classifier, build_classifier
from tonegap_kit.command import Stage, progress, say
from tonegap_kit.determinism import generator, make_deterministic
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Partition, has_partition, join, read_partition
from tonegap_kit.predictions import write_notes, write_predictions
from tonegap_kit.sampling import Weights, class_balanced, epoch_order
from tonegap_kit.sources import ImageSource, Source, TensorSource, in_batches, input_size
from tonegap_kit.training import (
    Epoch,
    Examples,
    Loss,
    Recipe,
    cross_entropy,
    read_recipe,
    train_epochs,
)

_FEATURE_BATCH = 256


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a baseline sees: real images, then synthetic ones, in `train`; and those to be predicted."""

    train: Partition
    n_real: int
    held_out: Partition


@dataclass(frozen=True, slots=True)
class Idea:
    """What makes a baseline: how often a row is drawn (None: each once), its weight, and the loss."""

    draw: Weights | None = None
    weights: Weights | None = None
    loss: Loss = cross_entropy


def read_training_data(stage: Stage) -> TrainingData:
    """All partitions of a `train` stage; the held-out ones are validation, then test."""
    real = read_partition(stage, "train")
    train = real
    if has_partition(stage, "synthetic"):
        train = join(real, read_partition(stage, "synthetic"))
    held_out = join(read_partition(stage, "validation"), read_partition(stage, "test"))
    return TrainingData(train, len(real), held_out)


def draw_named(name: str, y: NDArray[np.int64]) -> Weights | None:
    """How rows are drawn: `class-balanced` or `uniform` with replacement, or `shuffle`, each once."""
    if name == "shuffle":
        return None
    if name == "uniform":
        return np.ones(len(y))
    if name == "class-balanced":
        return class_balanced(y)
    raise StageError(f"sampler is {name!r}, wanted class-balanced, uniform or shuffle")


def train_classifier(stage: Stage, data: TrainingData, idea: Idea) -> None:
    """Trains the backbone that the job names by an idea, and leaves predictions and notes."""
    device = make_deterministic(stage)
    recipe = read_recipe(stage.job)
    model = build_classifier(_spec(stage), len(stage.job.classes), _input_px(stage)).to(device)
    learner, train, held_out = _what_learns(model, *_sources(stage, data, device))
    examples = _examples(train, data.train, idea, device)
    rng = generator(stage.seed_of("order"))
    epochs = train_epochs(
        learner,
        examples,
        held_out,
        recipe,
        lambda: epoch_order(len(train), idea.draw, rng),
        idea.loss,
    )
    _leave(stage, data, recipe, epochs)


def _spec(stage: Stage) -> BackboneSpec:
    job = stage.job
    return BackboneSpec(
        job.text("backbone"), job.text("head"), stage.file("weights"), job.flag("frozen")
    )


def _input_px(stage: Stage) -> int:
    return input_size(stage.job.size_px, _centre_crop(stage))


def _centre_crop(stage: Stage) -> float:
    share = stage.job.real("centre_crop")
    if not 0 < share <= 1:
        raise StageError(f"centre_crop is {share}, wanted a share of the side in (0, 1]")
    return share


def _sources(
    stage: Stage, data: TrainingData, device: torch.device
) -> tuple[ImageSource, ImageSource]:
    share = _centre_crop(stage)
    augmentation = augmentation_named(stage.job.text("augmentation"))
    rng = generator(stage.seed_of("augmentation"))
    train = ImageSource(data.train.pictures, share, device, augmentation, rng)
    return train, ImageSource(data.held_out.pictures, share, device)


def _what_learns(
    model: Classifier, train: ImageSource, held_out: ImageSource
) -> tuple[torch.nn.Module, Source, Source]:
    """The model on images; or its head alone on features, where an image's features never change."""
    if not model.has_fixed_features or train.augmentation is not None:
        return model, train, held_out
    say("the backbone is frozen and images are not augmented: features are computed once")
    return model.head, _features(model, train), _features(model, held_out)


def _features(model: Classifier, source: Source) -> TensorSource:
    model.eval()
    with torch.no_grad():
        batches = in_batches(torch.arange(len(source)), _FEATURE_BATCH)
        return TensorSource(torch.cat([model.features(source.take(rows)) for rows in batches]))


def _examples(source: Source, rows: Partition, idea: Idea, device: torch.device) -> Examples:
    weights = np.ones(len(rows)) if idea.weights is None else idea.weights
    return Examples(
        source=source,
        y=torch.from_numpy(rows.y).to(device),
        t=torch.from_numpy(rows.t).to(device),
        w=torch.from_numpy(weights.astype(np.float32)).to(device),
    )


def _leave(stage: Stage, data: TrainingData, recipe: Recipe, epochs: Iterator[Epoch]) -> None:
    kept, losses = {}, []
    progress(0, recipe.epochs)
    for epoch in epochs:
        kept[epoch.number] = epoch.p
        losses.append(round(epoch.loss, 6))
        say(f"epoch {epoch.number}: loss {epoch.loss:.4f}")
        progress(epoch.number, recipe.epochs)
    write_predictions(stage.out, data.held_out.ids, stage.job.classes, kept)
    n_synthetic = len(data.train) - data.n_real
    write_notes(stage.out, {"loss": losses, "n_real": data.n_real, "n_synthetic": n_synthetic})
