"""A `train` stage from its input files to its predictions, given a baseline's hooks.

All that a baseline's own `train.py` has to bring is what differs from plain training, as `TrainingHooks`: how
rows are drawn, what they weigh, another loss, further heads on the network, or what happens after a step.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from tonegap_kit.augment import Augmentation
from tonegap_kit.backbones import BackboneSpec, Classifier, build_classifier
from tonegap_kit.command import Stage, progress, say
from tonegap_kit.data_use import choose_rows
from tonegap_kit.determinism import generator, make_deterministic
from tonegap_kit.errors import StageError
from tonegap_kit.partition import UNKNOWN, Partition, has_partition, join, read_partition
from tonegap_kit.predictions import write_notes, write_predictions
from tonegap_kit.published import LabelsSeen, as_published, read_published
from tonegap_kit.sampling import Weights, class_balanced, epoch_order
from tonegap_kit.sources import NoRows, Source
from tonegap_kit.training import (
    Epoch,
    Examples,
    Loss,
    Order,
    Recipe,
    Rule,
    Score,
    cross_entropy,
    predict,
    read_recipe,
    score_of_input,
    train_epochs,
)
from tonegap_kit.training_images import Learner, TrainingImages, features_or_images, input_px


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a baseline sees: real images, then synthetic ones, in `train`; and those to be predicted.

    `before`: images that the classifier is trained on first. `epoch_rows`: how many images an epoch has, where
    that is not their number.
    """

    train: Partition
    n_real: int
    held_out: Partition
    before: Partition | None = None
    epoch_rows: int | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """A network after plain training, and what it was trained with, for a repair of it.

    `held_out`: inputs of the rows of `TrainingData.held_out`. `order`: the rows of one more epoch.
    """

    network: nn.Module
    examples: Examples
    held_out: Source
    recipe: Recipe
    order: Order


# The networks that predict, one after the other, each with its loss.
Repair = Callable[[Trained], Iterator[tuple[nn.Module, float]]]


@dataclass(frozen=True, slots=True)
class TrainingHooks:
    """What makes a baseline; what is left out is as in plain training.

    `draw`: how often each training row is drawn (None: each once); `order` says it anew for every epoch,
    counted from 1. `weights`: what a row's loss weighs. `loss`: what is minimised.
    `build`: the network to train, made around the job's classifier; its forward gives class scores [b, k].
    `after_step` is called with it after each step; `after_epoch` gives the module that predicts after this
    epoch. `score`: class scores of held-out inputs, by the rows of `TrainingData.held_out` that they are.
    `augment`: done to training images after the job's augmentation. `as_images`: the loss or the score needs
    images, so features are never computed once in their place. `notes`: what to note of the trained
    network, given the held-out inputs. `repair`: what is done to the network after its epochs; the networks that it
    gives are the epochs that are kept, in place of those of training.
    """

    draw: Weights | None = None
    weights: Weights | None = None
    loss: Loss = cross_entropy
    build: Callable[[Stage, Classifier], nn.Module] | None = None
    after_step: Callable[[nn.Module], None] | None = None
    after_epoch: Callable[[nn.Module, int], nn.Module] | None = None
    order: Callable[[int], Weights | None] | None = None
    score: Score = score_of_input
    augment: Augmentation | None = None
    as_images: bool = False
    notes: Callable[[nn.Module, Source], Mapping[str, object]] | None = None
    repair: Repair | None = None


def read_training_data(stage: Stage) -> TrainingData:
    """All partitions of a `train` stage; the held-out ones are validation, then test."""
    real = read_partition(stage, "train")
    made = read_partition(stage, "synthetic") if has_partition(stage, "synthetic") else None
    rows = choose_rows(stage, real, made)
    held_out = join(read_partition(stage, "validation"), read_partition(stage, "test"))
    return TrainingData(rows.train, rows.n_real, held_out, rows.before, rows.epoch_rows)


def draw_named(name: str, y: NDArray[np.int64]) -> Weights | None:
    """How rows are drawn: `class-balanced` or `uniform` with replacement, or `shuffle`, each once."""
    if name == "shuffle":
        return None
    if name == "uniform":
        return np.ones(len(y))
    if name == "class-balanced":
        return class_balanced(y)
    raise StageError(f"sampler is {name!r}, wanted class-balanced, uniform or shuffle")


def train_classifier(stage: Stage, data: TrainingData, hooks: TrainingHooks) -> None:
    """Trains the backbone that the job names with a baseline's hooks, and leaves predictions and notes."""
    device = make_deterministic(stage)
    recipe = read_recipe(stage.job)
    model = build_classifier(_spec(stage), len(stage.job.classes), input_px(stage)).to(device)
    learner = features_or_images(stage, _training_images(data, hooks), model, device)
    _train_before(stage, data, learner, device)
    network = (
        learner.classifier
        if hooks.build is None
        else hooks.build(stage, learner.classifier).to(device)
    )
    examples = _examples(learner.train, data.train, hooks.weights, device)
    rule = Rule(hooks.loss, hooks.score, hooks.after_step, hooks.after_epoch)
    published = read_published(stage.job)
    untrained = (
        predict(network, learner.held_out, recipe, hooks.score) if published.is_late else None
    )
    order = _order(stage, data, hooks)
    if hooks.repair is None:
        epochs = train_epochs(network, examples, learner.held_out, recipe, order, rule)
    else:
        trained = Trained(network, examples, learner.held_out, recipe, order)
        epochs = _repaired(trained, rule, hooks.repair)
    epochs = as_published(epochs, untrained, _labels_seen(stage, data), published)
    notes = _leave(stage, data, recipe, epochs)
    if hooks.notes is not None:
        network.eval()
        notes |= hooks.notes(network, learner.held_out)
    write_notes(stage.out, notes)


def _repaired(trained: Trained, rule: Rule, repair: Repair) -> Iterator[Epoch]:
    """Trains the network, and gives what a repair makes of it, counted from 1."""
    network, recipe = trained.network, trained.recipe
    for epoch in train_epochs(network, trained.examples, NoRows(), recipe, trained.order, rule):
        say(f"before the repair, epoch {epoch.number}: loss {epoch.loss:.4f}")
    for number, (made, loss) in enumerate(repair(trained), start=1):
        yield Epoch(number, loss, predict(made, trained.held_out, recipe, rule.score))


def train_on_features(
    stage: Stage,
    data: TrainingData,
    network: nn.Module,
    features: tuple[Source, Source],
    recipe: Recipe,
) -> None:
    """Trains a network of one's own by plain cross-entropy, and leaves predictions and notes.

    `features` are those of the training rows and of the held-out rows, in the order of `data`, on the device
    of the network. Classes are drawn equally often.
    """
    train, held_out = features
    draw, rng = class_balanced(data.train.y), generator(stage.seed_of("order"))
    epochs = train_epochs(
        network,
        _examples(train, data.train, None, next(network.parameters()).device),
        held_out,
        recipe,
        lambda _: epoch_order(len(data.train), draw, rng, data.epoch_rows),
        Rule(),
    )
    write_notes(stage.out, _leave(stage, data, recipe, epochs))


def _labels_seen(stage: Stage, data: TrainingData) -> LabelsSeen:
    held_out = data.held_out.y
    return LabelsSeen(stage.job.classes, data.train.y, held_out[held_out != UNKNOWN])


def _order(stage: Stage, data: TrainingData, hooks: TrainingHooks) -> Order:
    rng = generator(stage.seed_of("order"))

    def order(number: int) -> Tensor:
        draw = hooks.draw if hooks.order is None else hooks.order(number)
        return epoch_order(len(data.train), draw, rng, data.epoch_rows)

    return order


def _training_images(data: TrainingData, hooks: TrainingHooks) -> TrainingImages:
    before = None if data.before is None else data.before.pictures
    return TrainingImages(
        data.train.pictures, before, data.held_out.pictures, hooks.augment, hooks.as_images
    )


def _train_before(stage: Stage, data: TrainingData, learner: Learner, device: torch.device) -> None:
    """Trains the classifier on the rows that come before, plainly, with classes drawn equally often."""
    if data.before is None:
        return
    recipe = replace(read_recipe(stage.job), epochs=stage.job.integer("pretrain_epochs"))
    if recipe.epochs < 1:
        raise StageError(f"pretrain_epochs is {recipe.epochs}, wanted 1 or more")
    rng, y = generator(stage.seed_of("order before")), data.before.y
    examples = _examples(learner.before, data.before, None, device)
    epochs = train_epochs(
        learner.classifier,
        examples,
        NoRows(),
        recipe,
        lambda _: epoch_order(len(y), class_balanced(y), rng, data.epoch_rows),
        Rule(),
    )
    for epoch in epochs:
        say(f"before, epoch {epoch.number}: loss {epoch.loss:.4f}")


def _spec(stage: Stage) -> BackboneSpec:
    job = stage.job
    return BackboneSpec(
        job.text("backbone"), job.text("head"), stage.file("weights"), job.flag("frozen")
    )


def _examples(
    source: Source, rows: Partition, weights: Weights | None, device: torch.device
) -> Examples:
    weights = np.ones(len(rows)) if weights is None else weights
    return Examples(
        source=source,
        y=torch.from_numpy(rows.y).to(device),
        t=torch.from_numpy(rows.t).to(device),
        w=torch.from_numpy(weights.astype(np.float32)).to(device),
    )


def _leave(
    stage: Stage, data: TrainingData, recipe: Recipe, epochs: Iterator[Epoch]
) -> dict[str, object]:
    kept, losses = {}, []
    progress(0, recipe.epochs)
    for epoch in epochs:
        kept[epoch.number] = epoch.p
        losses.append(round(epoch.loss, 6))
        say(f"epoch {epoch.number}: loss {epoch.loss:.4f}")
        progress(epoch.number, max(recipe.epochs, epoch.number))
    write_predictions(stage.out, data.held_out.ids, stage.job.classes, kept)
    n_synthetic = len(data.train) - data.n_real
    n_before = 0 if data.before is None else len(data.before)
    return {"loss": losses, "n_real": data.n_real, "n_synthetic": n_synthetic} | (
        {"n_before": n_before} if n_before else {}
    )
