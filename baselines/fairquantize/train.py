"""FairQuantize: weights become powers of two, those first whose change costs the worse-off group least."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from tonegap_kit.baseline import Trained, TrainingData, read_training_data
from tonegap_kit.command import Stage, main, say
from tonegap_kit.errors import StageError
from tonegap_kit.repairs import train_and_repair, train_on
from tonegap_kit.told_groups import told_groups
from tonegap_kit.weight_saliency import ByWeight, curvature, matrices, two_sides


@dataclass(frozen=True, slots=True)
class Quantising:
    """How much of each layer is quantised, in how many rounds, with how many epochs each; weights of the sides."""

    share: float
    rounds: int
    epochs: int
    worse: float
    others: float


def powers_of_two(weight: Tensor) -> Tensor:
    """The power of two nearest to each weight by its logarithm, with its sign; 0 stays 0.

    Source: Guo et al. 2024, after Zhou et al. 2017 (INQ).
    """
    w = weight.detach().cpu().numpy()
    # |w| = part * 2^exponent with part in [1/2, 1): its logarithm is nearer to the lower power below 1 / sqrt 2.
    part, exponent = np.frexp(np.abs(w))
    power = np.ldexp(np.sign(w), exponent - (part < 0.5**0.5))
    return torch.from_numpy(power.astype(w.dtype)).to(weight.device)


def cost(weight: Tensor, of_worse: Tensor, of_others: Tensor, how: Quantising) -> Tensor:
    """(worse * h_worse + others * h_others) * change^2: the weighted cost of quantising each weight.

    Source: Guo et al. 2024, with the two weights of their code.
    """
    change = powers_of_two(weight) - weight
    return (how.worse * of_worse + how.others * of_others) * change**2


def choose(done: Tensor, worth: Tensor, n: int) -> Tensor:
    """Which weights of a layer are quantised when n are: those already `done`, then those of least cost."""
    order = torch.argsort(worth.flatten().masked_fill(done.flatten(), torch.inf), stable=True)
    chosen = done.flatten().clone()
    chosen[order[: max(0, n - int(done.sum()))]] = True
    return chosen.view_as(done)


def repair(
    stage: Stage, data: TrainingData, how: Quantising, trained: Trained
) -> Iterator[tuple[nn.Module, float]]:
    """The network after each round and the epochs that follow it, with the last one's loss."""
    network, source = trained.network, trained.examples.source
    sides = two_sides(stage, data, trained)
    done = {name: torch.zeros_like(w, dtype=torch.bool) for name, w in matrices(network).items()}
    fixed: ByWeight = {name: w.detach().clone() for name, w in matrices(network).items()}

    def hold(_network: nn.Module) -> None:
        with torch.no_grad():
            for name, w in matrices(network).items():
                w.copy_(torch.where(done[name], fixed[name], w))

    for number in range(1, how.rounds + 1):
        worse, others = (
            curvature(network, source, rows, stage.seed_of(f"curvature {number} {side}"))
            for side, rows in (("worse", sides.worse), ("others", sides.others))
        )
        share = how.share * number / how.rounds
        for name, w in matrices(network).items():
            now = w.detach()
            worth = cost(now, worse[name], others[name], how)
            chosen = choose(done[name], worth, round(share * w.numel()))
            fixed[name] = torch.where(done[name], fixed[name], powers_of_two(now))
            done[name] = chosen
        hold(network)
        say(
            f"round {number}: {share:.0%} of the weights are powers of two, in favour of {sides.name}"
        )
        yield network, train_on(trained, how.epochs, hold)


def train(stage: Stage) -> None:
    """Leaves the predictions of the network after each round."""
    stage, data = told_groups(stage, read_training_data(stage))
    job = stage.job
    how = Quantising(
        job.real("quantised_share"),
        job.integer("rounds"),
        job.integer("retrain_epochs"),
        job.real("worse_weight"),
        job.real("others_weight"),
    )
    if not 0 <= how.share <= 1 or min(how.rounds, how.epochs) < 1:
        raise StageError(
            f"quantised_share is {how.share}, rounds {how.rounds} and retrain_epochs {how.epochs}, wanted a share "
            "in [0, 1] and 1 or more of each"
        )
    train_and_repair(stage, data, partial(repair, stage, data, how))


if __name__ == "__main__":
    main(train=train)
