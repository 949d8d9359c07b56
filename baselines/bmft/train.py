"""BMFT: weights that matter to the difference between groups are moved alone, then the last layer is trained anew."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from tonegap_kit.backbones import Classifier
from tonegap_kit.baseline import Trained, TrainingData, read_training_data
from tonegap_kit.command import Stage, main, say
from tonegap_kit.determinism import generator
from tonegap_kit.errors import StageError
from tonegap_kit.repairs import train_and_repair
from tonegap_kit.sampling import cell_balanced, epoch_order
from tonegap_kit.sources import NoRows, in_batches
from tonegap_kit.told_groups import told_groups
from tonegap_kit.training import (
    Batch,
    Loss,
    Rule,
    cross_entropy,
    train_epochs,
    weighted_cross_entropy,
)
from tonegap_kit.weight_saliency import ByWeight, matrices


def difference(p: Tensor, y: Tensor, t: Tensor) -> Tensor:
    """Half of the mean over classes of the largest difference between groups in TPR, and in FPR, by probabilities.

    Of `p [b, k]`, classes `y [b]` and groups `t [b]`. TPR is the mean probability of the class where it is true,
    FPR where it is not. A class that fewer than two groups can be compared in counts for nothing; 0 where none can.

    Source: equalised odds of Xue et al. 2024, whose code adds both differences before it takes their size.
    """
    parts = [p.sum() * 0]
    groups = torch.unique(t).tolist()
    for label in range(p.shape[1]):
        for rows in (y == label, y != label):
            rates = [p[rows & (t == g), label].mean() for g in groups if (rows & (t == g)).any()]
            if len(rates) > 1:
                found = torch.stack(rates)
                parts.append((found.amax() - found.amin()) / 2)
    return torch.stack(parts).sum() / p.shape[1]


def importance(network: nn.Module, trained: Trained, order: Tensor, loss: Loss) -> ByWeight:
    """Mean over batches of the squared gradient of a loss, for each matrix weight."""
    network.eval()
    weights = matrices(network)
    total = {name: torch.zeros_like(w) for name, w in weights.items()}
    batches = in_batches(order, trained.recipe.batch)
    for rows in batches:
        found = torch.autograd.grad(
            loss(network, trained.examples.batch(rows)), list(weights.values()), allow_unused=True
        )
        for value, gradient in zip(total.values(), found, strict=True):
            value += 0 if gradient is None else gradient**2
    return {name: value / len(batches) for name, value in total.items()}


def ratios(of_bias: ByWeight, of_prediction: ByWeight) -> ByWeight:
    """Importance to the difference over importance to the prediction, each scaled to [0, 1] in its layer.

    Source: Xue et al. 2024, the ratio as in their code.
    """
    return {
        name: _scaled(value) / (_scaled(of_prediction[name]) + 1e-10)
        for name, value in of_bias.items()
    }


def mask_of(of_bias: ByWeight, of_prediction: ByWeight, percentile: float) -> ByWeight:
    """Which weights may move: those whose ratio of importance is above a percentile of all."""
    ratio = ratios(of_bias, of_prediction)
    flat = torch.cat([value.flatten() for value in ratio.values()]).sort().values
    limit = flat[min(len(flat) - 1, int(percentile / 100 * len(flat)))]
    return {name: value > limit for name, value in ratio.items()}


def _scaled(value: Tensor) -> Tensor:
    return (value - value.min()) / (value.max() - value.min()).clamp(min=1e-30)


def both(weight: float, model: nn.Module, batch: Batch) -> Tensor:
    """Cross-entropy, plus weight times the difference between groups."""
    scores = model(batch.x)
    apart = difference(scores.softmax(dim=1), batch.y, batch.t)
    return weighted_cross_entropy(scores, batch) + weight * apart


def alone(model: nn.Module, batch: Batch) -> Tensor:
    """The difference between groups by itself."""
    return difference(model(batch.x).softmax(dim=1), batch.y, batch.t)


def repair(stage: Stage, data: TrainingData, trained: Trained) -> Iterator[tuple[nn.Module, float]]:
    """The network after each epoch of its new last layer, with that epoch's loss."""
    job, network = stage.job, trained.network
    if not isinstance(network, Classifier):
        raise TypeError("the network is trained plainly, so it is a Classifier")
    balanced, rng = cell_balanced(data.train.y, data.train.t), generator(stage.seed_of("balanced"))

    def order(_number: int) -> Tensor:
        return epoch_order(len(data.train), balanced, rng, data.epoch_rows)

    epochs, rate = job.integer("body_epochs"), job.real("body_rate")
    recipe = replace(trained.recipe, epochs=epochs, learning_rate=rate, schedule="constant")
    body = set(matrices(network.body))
    if epochs and body:
        found = [importance(network, trained, order(0), of) for of in (alone, cross_entropy)]
        of_bias, of_prediction = (
            {name: value for name, value in one.items() if name.startswith("body.")}
            for one in found
        )
        may_move = mask_of(of_bias, of_prediction, job.real("masked_percentile"))
        before = {name: p.detach().clone() for name, p in network.named_parameters()}

        def hold(_network: nn.Module) -> None:
            with torch.no_grad():
                for name, p in network.named_parameters():
                    p.copy_(
                        torch.where(may_move[name], p, before[name])
                        if name in may_move
                        else before[name]
                    )

        rule = Rule(partial(both, job.real("bias_weight")), after_step=hold)
        for epoch in train_epochs(network, trained.examples, NoRows(), recipe, order, rule):
            say(f"masked weights, epoch {epoch.number}: loss {epoch.loss:.4f}")
    for module in network.head.modules():
        if isinstance(module, nn.Linear):
            module.reset_parameters()
    fixed = Classifier(network.body, network.head, is_frozen=True)
    rate = job.real("head_rate")
    recipe = replace(recipe, epochs=job.integer("head_epochs"), learning_rate=rate)
    for epoch in train_epochs(fixed, trained.examples, NoRows(), recipe, order, Rule()):
        yield fixed, epoch.loss


def train(stage: Stage) -> None:
    """Leaves the predictions of the repaired network."""
    stage, data = told_groups(stage, read_training_data(stage))
    job = stage.job
    if job.integer("body_epochs") < 0 or job.integer("head_epochs") < 1:
        raise StageError(
            f"body_epochs is {job.integer('body_epochs')} and head_epochs {job.integer('head_epochs')}, wanted 0 or "
            "more and 1 or more"
        )
    if not 0 <= job.real("masked_percentile") <= 100:
        raise StageError(f"masked_percentile is {job.real('masked_percentile')}, wanted 0 to 100")
    train_and_repair(stage, data, partial(repair, stage, data))


if __name__ == "__main__":
    main(train=train)
