"""FairMoE: convolutions become mixtures of experts, and the choice of an expert is to know the group."""

import copy
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from tonegap_kit.backbones import Classifier
from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.errors import StageError
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.told_groups import told_groups
from tonegap_kit.training import Batch, weighted_cross_entropy


class Experts(nn.Module):
    """Several convolutions in the place of one; a router on the mean of the map says how much of each."""

    def __init__(self, first: nn.Conv2d, n: int, hidden: int, *, copies: bool) -> None:
        """`copies`: all start as the first one does, for pretrained weights; else each from its own random ones."""
        super().__init__()
        self.convolutions = nn.ModuleList([first, *(copy.deepcopy(first) for _ in range(n - 1))])
        for other in self.convolutions[1:]:
            if not copies and isinstance(other, nn.Conv2d):
                other.reset_parameters()
        self.router = nn.Sequential(
            nn.Linear(first.in_channels, hidden), nn.ReLU(), nn.Linear(hidden, n)
        ).to(first.weight.device)
        self.shares = torch.empty(0)

    def forward(self, x: Tensor) -> Tensor:
        """The mean of the experts' maps by the router's shares `[b, experts]`, which are kept for the loss."""
        self.shares = self.router(x.mean(dim=(2, 3))).softmax(dim=1)
        maps = [
            c(x) * s[:, None, None, None]
            for c, s in zip(self.convolutions, self.shares.T, strict=True)
        ]
        return torch.stack(maps).sum(dim=0)


def build(stage: Stage, classifier: Classifier) -> Classifier:
    """The classifier with experts for each convolution of more than one pixel but the first.

    Raises StageError for a backbone without one, and for fewer than two experts.
    """
    job = stage.job
    n, hidden = job.integer("experts"), job.integer("router_hidden")
    if n < 2 or hidden < 1:
        raise StageError(
            f"experts is {n} and router_hidden {hidden}, wanted 2 or more and 1 or more"
        )
    found = [
        (name, m)
        for name, m in classifier.body.named_modules()
        if isinstance(m, nn.Conv2d) and m.groups == 1 and max(m.kernel_size) > 1
    ][1:]
    if not found:
        raise StageError(
            "backbone has no two convolutions of more than one pixel, so no place for experts"
        )
    for name, first in found:
        experts = Experts(first, n, hidden, copies=job.text("weights") != "none")
        classifier.body.set_submodule(name, experts)
    return classifier.to(memory_format=torch.channels_last)


def mutual_information(shares: Tensor, t: Tensor) -> Tensor:
    """Of group and expert, in nats, from the experts' shares [b, experts] and groups `t [b]`; 0 if all are unknown.

    Over the rows of known group, the joint probability of a group and an expert is the mean of that expert's share
    where the row is of the group, and of 0 elsewhere.

    Source: the loss of Xu et al. 2025, as in their code.
    """
    known = t != UNKNOWN
    if not known.any():
        return shares.sum() * 0
    of_group = functional.one_hot(t[known]).to(shares)
    joint = of_group.T @ shares[known] / known.sum()
    alone = joint.sum(dim=1, keepdim=True) * joint.sum(dim=0, keepdim=True)
    tiny = 1e-12
    return (joint * ((joint + tiny).log() - (alone + tiny).log())).sum()


def loss(weight: float, model: nn.Module, batch: Batch) -> Tensor:
    """Mean cross-entropy less weight times the mutual information, mean over all layers of experts."""
    of_class = weighted_cross_entropy(model(batch.x), batch)
    layers = [m for m in model.modules() if isinstance(m, Experts)]
    known = [mutual_information(layer.shares.float(), batch.t) for layer in layers]
    return of_class - weight * torch.stack(known).mean()


def train(stage: Stage) -> None:
    """Leaves the predictions of a network of experts."""
    stage, data = told_groups(stage, read_training_data(stage))
    hooks = TrainingHooks(
        draw=draw_named(stage.job.text("sampler"), data.train.y),
        build=build,
        loss=partial(loss, stage.job.real("information_weight")),
        as_images=True,
    )
    train_classifier(stage, data, hooks)


if __name__ == "__main__":
    main(train=train)
