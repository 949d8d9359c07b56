"""SAM: each step follows the gradient at the place nearby where the loss is about highest."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial, reduce

import torch
from torch import Tensor, nn

from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.errors import StageError
from tonegap_kit.training import Batch, cross_entropy


def loss(radius: float, model: nn.Module, batch: Batch) -> Tensor:
    """The loss at the weights as they are, with the gradient that it has `radius` up the slope.

    Source: Foret et al. 2021, algorithm 1 and equation 2: w + radius * g / |g|, g over all weights that learn.
    """
    weights = [p for p in model.parameters() if p.requires_grad]
    here = cross_entropy(model, batch)
    slope = torch.autograd.grad(here, weights)
    norm = math.sqrt(sum((g.double() ** 2).sum().item() for g in slope))
    kept = [w.detach().clone() for w in weights]
    with torch.no_grad():
        for w, g in zip(weights, slope, strict=True):
            w.add_(g, alpha=radius / max(norm, 1e-12))
    with _statistics_kept(model):
        there = torch.autograd.grad(cross_entropy(model, batch), weights)
    with torch.no_grad():
        for w, old in zip(weights, kept, strict=True):
            w.copy_(old)
    # Linear in the weights, so that its gradient is the one from there; its value is taken off again.
    line = reduce(torch.add, [(w * g).sum() for w, g in zip(weights, there, strict=True)])
    return here.detach() + line - line.detach()


@contextmanager
def _statistics_kept(model: nn.Module) -> Iterator[None]:
    """Batch normalisation goes on by its batch, and does not remember it."""
    norms = [m for m in model.modules() if isinstance(m, nn.modules.batchnorm._BatchNorm)]
    usual = [(norm.momentum, norm.num_batches_tracked) for norm in norms]
    for norm in norms:
        norm.momentum = 0.0
        if norm.num_batches_tracked is not None:
            norm.num_batches_tracked = norm.num_batches_tracked.clone()
    try:
        yield
    finally:
        for norm, (momentum, n) in zip(norms, usual, strict=True):
            norm.momentum, norm.num_batches_tracked = momentum, n


def train(stage: Stage) -> None:
    """Leaves the predictions of a classifier trained by two gradients a step."""
    data, radius = read_training_data(stage), stage.job.real("radius")
    if radius < 0:
        raise StageError(f"radius is {radius}, wanted 0 (plain training) or more")
    draw = draw_named(stage.job.text("sampler"), data.train.y)
    train_classifier(stage, data, TrainingHooks(draw=draw, loss=partial(loss, radius)))


if __name__ == "__main__":
    main(train=train)
