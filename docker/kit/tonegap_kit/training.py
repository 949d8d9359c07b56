"""The training loop of the papers: what is the same for every baseline.

A baseline brings its hooks (a loss, a way to draw rows, weights of rows); this module brings the
optimiser, the schedule, the epochs and what the network then says of the held-out images. Nothing
here selects an epoch: that is the engine's work, on all of them.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

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
    # A baseline that does not declare these is trained without them.
    schedule_stepped: bool = True
    gradient_clip: float = 0.0


@dataclass(frozen=True, slots=True)
class Batch:
    """Some training rows: input `x`, class `y [b]`, tone `t [b]` (-1 unknown), loss weight `w [b]`.

    `rows [b]`, on the CPU, are their places among the training rows, for what a loss knows of each row.
    """

    x: Tensor
    y: Tensor
    t: Tensor
    w: Tensor
    rows: Tensor


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
        return Batch(self.source.take(rows), self.y[here], self.t[here], self.w[here], rows)


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch left: its number from 1, mean loss, and probabilities `p [n, k]` of held-out rows."""

    number: int
    loss: float
    p: NDArray[np.float64]


# Any: what is trained or predicts is a module that the baseline built, with parts of its own.
Loss = Callable[[Any, Batch], Tensor]
Order = Callable[[int], Tensor]  # the rows of an epoch, counted from 1
# Class scores [b, k] of held-out inputs and their rows.
Score = Callable[[Any, Tensor, Tensor], Tensor]


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
        schedule_stepped="schedule_stepped" not in job.parameters or job.flag("schedule_stepped"),
        gradient_clip=job.real("gradient_clip") if "gradient_clip" in job.parameters else 0.0,
    )
    for name in ("epochs", "batch", "schedule_step"):
        if getattr(recipe, name) < 1:
            raise StageError(f"{name} is {getattr(recipe, name)}, wanted 1 or more")
    if recipe.precision == "mixed" and job.device != "cuda":
        raise StageError("precision is 'mixed', which needs device 'cuda'; use 'full' on a CPU")
    if not recipe.gradient_clip >= 0:
        raise StageError(f"gradient_clip is {recipe.gradient_clip}, wanted 0 (no limit) or more")
    return recipe


def cross_entropy(model: nn.Module, batch: Batch) -> Tensor:
    """Mean over the batch of each row's cross-entropy times its weight."""
    return weighted_cross_entropy(model(batch.x), batch)


def weighted_cross_entropy(scores: Tensor, batch: Batch) -> Tensor:
    """The same, of class scores [b, k] that a loss has already."""
    losses = functional.cross_entropy(scores, batch.y, reduction="none")
    return (losses * batch.w).mean()


def score_of_input(model: nn.Module, x: Tensor, _rows: Tensor) -> Tensor:
    """Class scores [b, k] of inputs, whichever rows they are."""
    scores: Tensor = model(x)
    return scores


@dataclass(frozen=True, slots=True)
class Rule:
    """What is minimised, how held-out inputs are scored, and what happens after a step and an epoch.

    `after_epoch` gives the module that predicts after this epoch; None: the one that was trained.
    """

    loss: Loss = cross_entropy
    score: Score = score_of_input
    after_step: Callable[[nn.Module], None] | None = None
    after_epoch: Callable[[nn.Module, int], nn.Module] | None = None


def train_epochs(
    model: nn.Module, examples: Examples, held_out: Source, recipe: Recipe, order: Order, rule: Rule
) -> Iterator[Epoch]:
    """Trains the model, epoch by epoch, and after each says what it makes of the held-out rows.

    Raises StageError as soon as the loss is not a number.
    """
    optimiser = make_optimiser(model, recipe)
    for number in range(1, recipe.epochs + 1):
        for part in optimiser.param_groups:
            part["lr"] = learning_rate(recipe, number)
        batches = _batches(order(number), recipe.batch)
        mean = _train_epoch(model, examples, recipe, batches, optimiser, rule)
        if not math.isfinite(mean):
            raise StageError(f"epoch {number}: the mean loss is {mean}; lower learning_rate")
        predicting = model if rule.after_epoch is None else rule.after_epoch(model, number)
        yield Epoch(number, mean, predict(predicting, held_out, recipe, rule.score))


def n_steps(recipe: Recipe, n: int) -> int:
    """How many steps a training takes, with n rows an epoch."""
    return recipe.epochs * len(_batches(torch.arange(n), recipe.batch))


def _train_epoch(
    model: nn.Module,
    examples: Examples,
    recipe: Recipe,
    batches: list[Tensor],
    optimiser: torch.optim.Optimizer,
    rule: Rule,
) -> float:
    model.train()
    total = torch.zeros((), device=examples.y.device)
    for rows in batches:
        optimiser.zero_grad()
        with _precision(recipe, examples.y.device):
            value = rule.loss(model, examples.batch(rows))
        value.backward()  # type: ignore[no-untyped-call]
        if recipe.gradient_clip > 0:
            nn.utils.clip_grad_norm_(model.parameters(), recipe.gradient_clip)
        optimiser.step()
        if rule.after_step is not None:
            rule.after_step(model)
        total += value.detach() * len(rows)
    return total.item() / sum(len(rows) for rows in batches)


def predict(
    model: nn.Module, source: Source, recipe: Recipe, score: Score = score_of_input
) -> NDArray[np.float64]:
    """Probabilities [n, k] of all rows of a source, each row summing to 1 in double precision.

    Of no rows [0, 0].
    """
    if len(source) == 0:
        return np.empty((0, 0))
    model.eval()
    device = next(model.parameters()).device
    with torch.no_grad(), _precision(recipe, device):
        batches = in_batches(torch.arange(len(source)), _PREDICTION_BATCH)
        scores = [score(model, source.take(rows), rows).double().cpu() for rows in batches]
    p: NDArray[np.float64] = torch.cat(scores).softmax(dim=1).numpy()
    return p


def learning_rate(recipe: Recipe, epoch: int) -> float:
    """The learning rate of an epoch, counted from 1.

    `step` is stepped before the first epoch, as the papers' code does: with step 2, epoch 1 has the
    full rate and epochs 2 and 3 have it times gamma. `cosine` falls from the full rate towards 0.
    A schedule that is built and never stepped, as PatchAlign's, leaves the full rate.
    """
    if recipe.schedule == "constant" or not recipe.schedule_stepped:
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
        return torch.optim.Adam(learning, lr=lr, weight_decay=decay, fused=True)
    if recipe.optimiser == "adamw":
        return torch.optim.AdamW(learning, lr=lr, weight_decay=decay, fused=True)
    if recipe.optimiser == "sgd":
        # Not fused: with momentum that rounds otherwise, while `foreach` gives the bytes of the plain loop.
        return torch.optim.SGD(
            learning, lr=lr, momentum=recipe.momentum, weight_decay=decay, foreach=True
        )
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
