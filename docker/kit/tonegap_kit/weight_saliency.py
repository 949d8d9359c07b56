"""How much the loss of some images depends on each weight of a trained network.

Shared by the baselines that prune, quantise or retrain the weights that matter to one group and not to another.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from tonegap_kit.baseline import Trained, TrainingData
from tonegap_kit.command import Stage
from tonegap_kit.determinism import generator
from tonegap_kit.errors import StageError
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.sources import Source, in_batches
from tonegap_kit.told_groups import worst_group
from tonegap_kit.training import Examples

_BATCH = 256
ByWeight = dict[str, Tensor]


def learned(network: nn.Module) -> dict[str, nn.Parameter]:
    """The weights that learn, by name."""
    return {name: p for name, p in network.named_parameters() if p.requires_grad}


def matrices(network: nn.Module) -> dict[str, nn.Parameter]:
    """Of them those of convolutions and linear layers: no biases, no normalisation."""
    return {name: p for name, p in learned(network).items() if p.dim() > 1}


def curvature(network: nn.Module, source: Source, rows: Tensor, seed: int) -> ByWeight:
    """The diagonal of the loss's Gauss-Newton matrix, mean over these images, one number for each matrix weight.

    Of cross-entropy it is the mean over classes c, drawn from what the network says of the image, of the squared
    gradient of log p(c); here one draw for each image, by the seed. Of a network that has converged it stands in for
    the second derivative. Batch statistics are used and left as they are. All 0 for no images.
    """
    network.eval()
    weights, draw = matrices(network), generator(seed)
    total = {name: torch.zeros_like(w) for name, w in weights.items()}
    for row in rows:
        scores = network(source.take(row[None]))
        p = scores.detach().double().cpu().softmax(dim=1)
        drawn = torch.multinomial(p, 1, generator=draw).flatten().to(scores.device)
        loss = functional.cross_entropy(scores, drawn)
        gradients = torch.autograd.grad(loss, list(weights.values()))
        for value, gradient in zip(total.values(), gradients, strict=True):
            value += gradient**2
    return {name: value / max(1, len(rows)) for name, value in total.items()}


def some_rows(candidates: Tensor, at_most: int, seed: int) -> Tensor:
    """At most so many of these rows, drawn without replacement by the seed, in rising order."""
    order = torch.randperm(len(candidates), generator=generator(seed))[:at_most]
    return candidates[order].sort().values


@dataclass(frozen=True, slots=True)
class Sides:
    """Training rows of the group of lowest validation accuracy, and of all others whose group is known."""

    name: str
    worse: Tensor
    others: Tensor

    @property
    def both(self) -> Tensor:
        """The rows of either side."""
        return torch.cat([self.worse, self.others])


def two_sides(stage: Stage, data: TrainingData, trained: Trained) -> Sides:
    """At most `saliency_images` training rows of each side, drawn by the seed.

    Raises StageError where fewer than two groups have validation images, or a side has no training image.
    """
    told = (data.held_out.y != UNKNOWN).nonzero()[0]
    validation = torch.from_numpy(told)
    network = trained.network.eval()
    with torch.no_grad():
        named = [
            network(trained.held_out.take(rows)).argmax(dim=1).cpu()
            for rows in in_batches(validation, _BATCH)
        ]
    hits = torch.cat(named).numpy() == data.held_out.y[told]
    names = stage.job.tones
    worst = worst_group(hits, data.held_out.t[told], len(names))
    t, at_most = torch.from_numpy(data.train.t), stage.job.integer("saliency_images")
    worse, others = (
        some_rows(chosen.nonzero().flatten(), at_most, stage.seed_of(f"saliency {side}"))
        for side, chosen in (("worse", t == worst), ("others", (t != worst) & (t != UNKNOWN)))
    )
    if not len(worse) or not len(others):
        raise StageError(
            f"train.csv: {names[worst]} or all others have no training image to compare"
        )
    return Sides(names[worst], worse, others)


def mean_loss(network: nn.Module, examples: Examples, rows: Tensor) -> float:
    """Mean cross-entropy of these training rows, by the batch statistics that were learned."""
    network.eval()
    with torch.no_grad():
        losses = [
            functional.cross_entropy(network(batch.x), batch.y, reduction="sum").item()
            for batch in (examples.batch(some) for some in in_batches(rows, _BATCH))
        ]
    return sum(losses) / max(1, len(rows))
