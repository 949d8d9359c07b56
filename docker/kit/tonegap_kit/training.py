"""The training loop of the papers: what is the same for every baseline.

A baseline brings its idea (a loss, a way to draw rows, weights of rows); this module brings the
optimiser, the schedule, the epochs and what the network then says of the held-out images. Nothing
here selects an epoch: that is the engine's work, on all of them.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from tonegap_kit.errors import StageError
from tonegap_kit.job import Job
from tonegap_kit.sources import Source, in_batches

_PREDICTION_BATCH = 256


@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is optimised; the names are those of the parameters in `baseline.toml`."""

    epochs: int
    batch: int
    optimiser: str
    learning_rate: float
    weight_decay: float
    momentum: float
    schedule: str
    schedule_step: int
    schedule_gamma: float
    precision: str


@dataclass(frozen=True, slots=True)
class Batch:
    """Some training rows: input `x`, class `y [b]`, tone `t [b]` (-1 unknown), loss weight `w [b]`."""

    x: Tensor
    y: Tensor
    t: Tensor
    w: Tensor


@dataclass(frozen=True, slots=True)
class Examples:
    """Training rows: a source of inputs, and what is known of each row, on the device."""

    source: Source
    y: Tensor
    t: Tensor
    w: Tensor

    def batch(self, rows: Tensor) -> Batch:
        """These rows, ready for the network."""
        here = rows.to(self.y.device)
        return Batch(self.source.take(rows), self.y[here], self.t[here], self.w[here])


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch left: its number from 1, mean loss, and probabilities `p [n, k]` of held-out rows."""

    number: int
    loss: float
    p: NDArray[np.float64]


Loss = Callable[[nn.Module, Batch], Tensor]
Order = Callable[[], Tensor]  # the rows of the next epoch


def read_recipe(job: Job) -> Recipe:
    """The recipe that the job's parameters spell. Raises StageError for a number that cannot be."""
    recipe = Recipe(
        epochs=job.integer("epochs"),
        batch=job.integer("batch"),
        optimiser=job.text("optimiser"),
        learning_rate=job.real("learning_rate"),
        weight_decay=job.real("weight_decay"),
        momentum=job.real("momentum"),
        schedule=job.text("schedule"),
        schedule_step=job.integer("schedule_step"),
        schedule_gamma=job.real("schedule_gamma"),
        precision=job.text("precision"),
    )
    for name in ("epochs", "batch", "schedule_step"):
        if getattr(recipe, name) < 1:
            raise StageError(f"{name} is {getattr(recipe, name)}, wanted 1 or more")
    if recipe.precision == "mixed" and job.device != "cuda":
        raise StageError("precision is 'mixed', which needs device 'cuda'; use 'full' on a CPU")
    return recipe


def cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    """Mean over the batch of each row's cross-entropy times its weight."""
    losses = functional.cross_entropy(model(batch.x), batch.y, reduction="none")
    return (losses * batch.w).mean()


def train_epochs(
    model: nn.Module, examples: Examples, held_out: Source, recipe: Recipe, order: Order, loss: Loss
) -> Iterator[Epoch]:
    """Trains the model, epoch by epoch, and after each says what it makes of the held-out rows.

    Raises StageError as soon as the loss is not a number.
    """
    optimiser = make_optimiser(model, recipe)
    for number in range(1, recipe.epochs + 1):
        for part in optimiser.param_groups:
            part["lr"] = learning_rate(recipe, number)
        mean = _train_epoch(
            model, examples, recipe, _batches(order(), recipe.batch), optimiser, loss
        )
        if not math.isfinite(mean):
            raise StageError(f"epoch {number}: the mean loss is {mean}; lower learning_rate")
        yield Epoch(number, mean, predict(model, held_out, recipe))


def _train_epoch(
    model: nn.Module,
    examples: Examples,
    recipe: Recipe,
    batches: list[Tensor],
    optimiser: torch.optim.Optimizer,
    loss: Loss,
) -> float:
    model.train()
    total = torch.zeros((), device=examples.y.device)
    for rows in batches:
        optimiser.zero_grad()
        with _precision(recipe, examples.y.device):
            value = loss(model, examples.batch(rows))
        value.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        total += value.detach() * len(rows)
    return total.item() / sum(len(rows) for rows in batches)


def predict(model: nn.Module, source: Source, recipe: Recipe) -> NDArray[np.float64]:
    """Probabilities [n, k] of all rows of a source, each row summing to 1 in double precision."""
    model.eval()
    device = next(model.parameters()).device
    with torch.no_grad(), _precision(recipe, device):
        batches = in_batches(torch.arange(len(source)), _PREDICTION_BATCH)
        scores = [model(source.take(rows)).double().cpu() for rows in batches]
    p: NDArray[np.float64] = torch.cat(scores).softmax(dim=1).numpy()
    return p


def learning_rate(recipe: Recipe, epoch: int) -> float:
    """The learning rate of an epoch, counted from 1.

    `step` is stepped before the first epoch, as the papers' code does: with step 2, epoch 1 has the
    full rate and epochs 2 and 3 have it times gamma. `cosine` falls from the full rate towards 0.
    """
    if recipe.schedule == "constant":
        return recipe.learning_rate
    if recipe.schedule == "step":
        return recipe.learning_rate * recipe.schedule_gamma ** (epoch // recipe.schedule_step)
    if recipe.schedule == "cosine":
        return recipe.learning_rate * (1 + math.cos(math.pi * (epoch - 1) / recipe.epochs)) / 2
    raise StageError(f"schedule is {recipe.schedule!r}, wanted constant, step or cosine")


def make_optimiser(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The optimiser of a recipe, over the parameters that learn."""
    learning = [p for p in model.parameters() if p.requires_grad]
    lr, decay = recipe.learning_rate, recipe.weight_decay
    if recipe.optimiser == "adam":
        return torch.optim.Adam(learning, lr=lr, weight_decay=decay)
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(learning, lr=lr, weight_decay=decay)
    if recipe.optimiser == "sgd":
        return torch.optim.SGD(learning, lr=lr, momentum=recipe.momentum, weight_decay=decay)
    raise StageError(f"optimiser is {recipe.optimiser!r}, wanted adam, adamw or sgd")


def _precision(recipe: Recipe, device: torch.device) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=recipe.precision == "mixed")


def _batches(order: Tensor, size: int) -> list[Tensor]:
    """The rows in batches; a last batch of one row joins the one before.

    Batch normalisation has no spread to divide by in a batch of one.
    """
    batches = in_batches(order, size)
    if len(batches) > 1 and len(batches[-1]) == 1:
        batches[-2:] = [torch.cat(batches[-2:])]
    return batches
