"""Trains a network plainly and then repairs it: the end of `train` for baselines that change a trained network."""

from collections.abc import Callable
from dataclasses import replace

from torch import nn

from tonegap_kit.baseline import (
    Repair,
    Trained,
    TrainingData,
    TrainingHooks,
    draw_named,
    train_classifier,
)
from tonegap_kit.command import Stage
from tonegap_kit.sources import NoRows
from tonegap_kit.training import Rule, train_epochs


def train_and_repair(
    stage: Stage, data: TrainingData, repair: Repair, as_images: bool = False
) -> None:
    """Trains the job's backbone by its `sampler`, and leaves the predictions of the networks that a repair gives.

    `as_images`: the repair needs images, so features are never computed once in their place.
    """
    draw = draw_named(stage.job.text("sampler"), data.train.y)
    train_classifier(stage, data, TrainingHooks(draw=draw, repair=repair, as_images=as_images))


def train_on(trained: Trained, epochs: int, hold: Callable[[nn.Module], None]) -> float:
    """The last mean loss of some more epochs at the full learning rate, `hold` called after every step."""
    recipe, loss = replace(trained.recipe, epochs=epochs, schedule="constant"), 0.0
    rule = Rule(after_step=hold)
    for epoch in train_epochs(
        trained.network, trained.examples, NoRows(), recipe, trained.order, rule
    ):
        loss = epoch.loss
    return loss
