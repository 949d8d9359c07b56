"""SCP: channels whose maps of the groups lie apart, by the soft nearest neighbour loss, are set to 0."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from tonegap_kit.baseline import Trained, TrainingData, read_training_data
from tonegap_kit.command import Stage, main, say
from tonegap_kit.errors import StageError
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.repairs import train_and_repair, train_on
from tonegap_kit.sources import in_batches
from tonegap_kit.told_groups import told_groups
from tonegap_kit.weight_saliency import some_rows

_BATCH = 64
_NEVER = -1e9  # the logarithm of what counts for nothing


@dataclass(frozen=True, slots=True)
class Channels:
    """Which convolutions, what share of their channels a round, how many rounds, epochs between; a temperature."""

    layers: str
    share: float
    rounds: int
    epochs: int
    temperature: float


def soft_nearest_neighbour(maps: Tensor, t: Tensor, temperature: float) -> Tensor:
    """The loss of each channel `[c]`, of its maps [n, c, h * w] by the images' groups `t [n]`.

    Mean over images of -log of the share that images of the same group have in sum over others of
    exp(-(1 - cosine) / temperature). Low where neighbours are of one group. An image that is alone in its group is left
    out; 0 if all are.

    Source: Frosst et al. 2019 (arXiv 1902.01889), equation 1, by cosine as in the code of Kong et al. 2024, which
    counts the image itself among its own group and not among all.
    """
    unit = functional.normalize(maps.transpose(0, 1), dim=2)  # [c, n, h * w]
    nearness = (unit @ unit.transpose(1, 2) - 1) / temperature
    itself = torch.eye(len(t), dtype=torch.bool, device=t.device)
    same = (t[:, None] == t[None, :]) & ~itself
    of_all = nearness.masked_fill(itself, _NEVER).logsumexp(dim=2)
    of_group = nearness.masked_fill(~same, _NEVER).logsumexp(dim=2)
    counted = same.any(dim=1)
    return ((of_all - of_group) * counted).sum(dim=1) / counted.sum().clamp(min=1)


def convolutions(network: nn.Module, which: str) -> dict[str, nn.Conv2d]:
    """The network's convolutions that learn, all or the last one alone, by name.

    Raises StageError where there is none.
    """
    found = {
        name: m
        for name, m in network.named_modules()
        if isinstance(m, nn.Conv2d) and m.weight.requires_grad
    }
    if not found:
        raise StageError("backbone has no convolution that learns, so no channel to prune")
    return found if which == "all" else dict([list(found.items())[-1]])


def losses_of_channels(
    trained: Trained, layers: dict[str, nn.Conv2d], rows: Tensor, by: float
) -> Tensor:
    """The soft nearest neighbour loss of every channel of these layers, one after the other, on training rows."""
    network, seen = trained.network.eval(), {name: list[Tensor]() for name in layers}
    handles = [
        m.register_forward_hook(
            lambda _m, _x, out, name=name: seen[name].append(out.flatten(2).cpu().clone())
        )
        for name, m in layers.items()
    ]
    with torch.no_grad():
        for some in in_batches(rows, _BATCH):
            network(trained.examples.source.take(some))
    for handle in handles:
        handle.remove()
    t = trained.examples.t.cpu()[rows]
    return torch.cat([soft_nearest_neighbour(torch.cat(maps), t, by) for maps in seen.values()])


def repair(
    stage: Stage, data: TrainingData, how: Channels, trained: Trained
) -> Iterator[tuple[nn.Module, float]]:
    """The network after each round and the epochs that follow it, with the last one's loss."""
    network = trained.network
    layers = convolutions(network, how.layers)
    known = torch.from_numpy(data.train.t != UNKNOWN).nonzero().flatten()
    rows = some_rows(known, stage.job.integer("saliency_images"), stage.seed_of("saliency"))
    sizes = [m.out_channels for m in layers.values()]
    pruned = torch.zeros(sum(sizes), dtype=torch.bool)
    n = max(1, round(how.share * len(pruned)))

    def hold(_network: nn.Module) -> None:
        with torch.no_grad():
            for layer, gone in zip(layers.values(), torch.split(pruned, sizes), strict=True):
                here = gone.to(layer.weight.device)
                layer.weight[here] = 0
                if layer.bias is not None:
                    layer.bias[here] = 0

    for number in range(1, how.rounds + 1):
        losses = losses_of_channels(trained, layers, rows, how.temperature).masked_fill(
            pruned, torch.inf
        )
        pruned[torch.argsort(losses, stable=True)[:n]] = True
        hold(network)
        say(f"round {number}: {int(pruned.sum())} of {len(pruned)} channels are 0")
        yield network, train_on(trained, how.epochs, hold)


def train(stage: Stage) -> None:
    """Leaves the predictions of the network after each round."""
    stage, data = told_groups(stage, read_training_data(stage))
    job = stage.job
    how = Channels(
        job.text("layers"),
        job.real("pruned_share"),
        job.integer("rounds"),
        job.integer("retrain_epochs"),
        job.real("temperature"),
    )
    if not (how.share >= 0 and how.share * how.rounds < 1) or min(how.rounds, how.epochs) < 1:
        raise StageError(
            f"pruned_share is {how.share}, rounds {how.rounds} and retrain_epochs {how.epochs}, wanted less than all "
            "channels over all rounds, and 1 or more of each"
        )
    if how.temperature <= 0:
        raise StageError(f"temperature is {how.temperature}, wanted more than 0")
    train_and_repair(stage, data, partial(repair, stage, data, how), as_images=True)


if __name__ == "__main__":
    main(train=train)
