"""FairPrune: weights that matter least to the worse-off group, compared with the others, are set to 0."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from tonegap_kit.baseline import Trained, TrainingData, read_training_data
from tonegap_kit.command import Stage, main, say
from tonegap_kit.errors import StageError
from tonegap_kit.repairs import train_and_repair
from tonegap_kit.told_groups import told_groups
from tonegap_kit.weight_saliency import ByWeight, Sides, curvature, matrices, mean_loss, two_sides


@dataclass(frozen=True, slots=True)
class Pruning:
    """How much is pruned in all and in how many rounds, and what the others' importance counts."""

    share: float
    rounds: int
    beta: float


def saliency(weight: Tensor, of_worse: Tensor, of_others: Tensor, beta: float) -> Tensor:
    """w^2 / 2 * (h_worse - beta * h_others): what pruning a weight costs one group more than the others.

    Source: Wu et al. 2022, equations 2 to 5.
    """
    return weight**2 / 2 * (of_worse - beta * of_others)


def prune(network: nn.Module, pruned: ByWeight, worth: ByWeight, n: int) -> None:
    """Sets weights to 0, those of least worth over all layers first, until n are; `pruned` are 1 where they are."""
    flat = torch.cat([value.flatten() for value in worth.values()])
    done = torch.cat([value.flatten() for value in pruned.values()]).bool()
    order = torch.argsort(flat.masked_fill(done, torch.inf), stable=True)
    chosen = done.clone()
    chosen[order[: max(0, n - int(done.sum()))]] = True
    weights, start = matrices(network), 0
    with torch.no_grad():
        for name, weight in weights.items():
            here = chosen[start : start + weight.numel()].view_as(weight)
            pruned[name].copy_(here)
            weight.masked_fill_(here, 0)
            start += weight.numel()


def repair(
    stage: Stage, data: TrainingData, pruning: Pruning, trained: Trained
) -> Iterator[tuple[nn.Module, float]]:
    """The network after each round, with the mean loss on the images that importance is computed on."""
    network, source = trained.network, trained.examples.source
    sides: Sides = two_sides(stage, data, trained)
    pruned = {name: torch.zeros_like(w) for name, w in matrices(network).items()}
    n_weights = sum(w.numel() for w in pruned.values())
    for number in range(1, pruning.rounds + 1):
        worse, others = (
            curvature(network, source, rows, stage.seed_of(f"curvature {number} {side}"))
            for side, rows in (("worse", sides.worse), ("others", sides.others))
        )
        worth = {
            name: saliency(w.detach(), worse[name], others[name], pruning.beta)
            for name, w in matrices(network).items()
        }
        share = pruning.share * number / pruning.rounds
        prune(network, pruned, worth, round(share * n_weights))
        say(f"round {number}: {share:.1%} of the weights are 0, in favour of {sides.name}")
        yield network, mean_loss(network, trained.examples, sides.both)


def train(stage: Stage) -> None:
    """Leaves the predictions of the network after each round of pruning."""
    stage, data = told_groups(stage, read_training_data(stage))
    job = stage.job
    pruning = Pruning(job.real("prune_share"), job.integer("rounds"), job.real("beta"))
    if not 0 <= pruning.share < 1 or pruning.rounds < 1:
        raise StageError(
            f"prune_share is {pruning.share} and rounds {pruning.rounds}, wanted a share in [0, 1) and 1 or more"
        )
    train_and_repair(stage, data, partial(repair, stage, data, pruning))


if __name__ == "__main__":
    main(train=train)
