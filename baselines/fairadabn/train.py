"""FairAdaBN: batch normalisation by group, and a loss that draws the groups' mean predictions together."""

import copy
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from tonegap_kit.backbones import Classifier
from tonegap_kit.baseline import TrainingHooks, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.errors import StageError
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.told_groups import told_groups
from tonegap_kit.training import Batch, weighted_cross_entropy

_BatchNorm = nn.modules.batchnorm._BatchNorm


class NormByGroup(nn.Module):
    """A batch normalisation for each group. `told[0]` is the group of each row that comes, set by the network."""

    def __init__(self, norm: _BatchNorm, n_groups: int, told: list[Tensor]) -> None:
        super().__init__()
        self.norms = nn.ModuleList(copy.deepcopy(norm) for _ in range(n_groups))
        self.told = told

    def forward(self, x: Tensor) -> Tensor:
        """Each row normalised with those of its group."""
        t = self.told[0]
        order = torch.argsort(t, stable=True)
        sizes = t.bincount(minlength=len(self.norms)).tolist()
        parts = torch.split(x[order], sizes)
        of_group = [
            _normed(n, part) for n, part in zip(self.norms, parts, strict=True) if len(part)
        ]
        return torch.cat(of_group)[torch.argsort(order)]


def _normed(norm: nn.Module, x: Tensor) -> Tensor:
    # One number has no spread to divide by: what was learned of the group stands in.
    if norm.training and x.numel() == x.shape[1] and isinstance(norm, _BatchNorm):
        return functional.batch_norm(
            x, norm.running_mean, norm.running_var, norm.weight, norm.bias, False, 0.0, norm.eps
        )
    normed: Tensor = norm(x)
    return normed


class FairAdaBN(nn.Module):
    """A classifier whose batch normalisations are told the group of each row."""

    def __init__(self, classifier: Classifier, n_groups: int) -> None:
        """Raises StageError for a backbone without batch normalisation."""
        super().__init__()
        self.classifier, self.n_groups, self.told = classifier, n_groups, [torch.empty(0)]
        norms = [(name, m) for name, m in classifier.named_modules() if isinstance(m, _BatchNorm)]
        if not norms:
            raise StageError("backbone has no batch normalisation, which this baseline needs")
        for name, norm in norms:
            classifier.set_submodule(name, NormByGroup(norm, n_groups, self.told))

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Class scores [b, k] of a batch and its groups `t [b]`; for -1 the log of the groups' mean probability."""
        scores = self._scores(x, t.clamp(min=0))
        unknown = t == UNKNOWN
        if not unknown.any():
            return scores
        some = x[unknown]
        ways = [self._scores(some, torch.full_like(t[unknown], g)) for g in range(self.n_groups)]
        mean = torch.stack([way.softmax(dim=1) for way in ways]).mean(dim=0)
        scores = scores.clone()
        scores[unknown] = mean.clamp(min=1e-12).log()
        return scores

    def _scores(self, x: Tensor, t: Tensor) -> Tensor:
        self.told[0] = t
        scores: Tensor = self.classifier(x)
        return scores


def build(stage: Stage, classifier: Classifier) -> FairAdaBN:
    """The job's classifier with a normalisation for each group."""
    return FairAdaBN(classifier, len(stage.job.tones))


def disparity(p: Tensor, t: Tensor) -> Tensor:
    """Squared distance of two groups' mean probabilities, mean over pairs of groups that the batch has; else 0.

    Of `p [b, k]` and groups `t [b]`.

    Source: L_SD of Xu et al. 2023, with probabilities where their code counts decisions.
    """
    means = [p[t == g].mean(dim=0) for g in torch.unique(t).tolist() if g != UNKNOWN]
    pairs = [((a - b) ** 2).sum() for i, a in enumerate(means) for b in means[:i]]
    return torch.stack(pairs).mean() if pairs else p.sum() * 0


def loss(alpha: float, model: FairAdaBN, batch: Batch) -> Tensor:
    """Mean cross-entropy plus alpha times the disparity of the groups' mean predictions."""
    scores = model(batch.x, batch.t)
    apart = disparity(scores.softmax(dim=1), batch.t)
    return weighted_cross_entropy(scores, batch) + alpha * apart


def score(t: Tensor, model: FairAdaBN, x: Tensor, rows: Tensor) -> Tensor:
    """Class scores of held-out inputs, by the groups `t [n]` of all held-out rows."""
    scores: Tensor = model(x, t[rows].to(x.device))
    return scores


def train(stage: Stage) -> None:
    """Leaves the predictions of a classifier that is told every image's group."""
    stage, data = told_groups(stage, read_training_data(stage))
    known = data.train.t != UNKNOWN
    if not known.any():
        raise StageError("train.csv: no training image has a tone, but this baseline needs them")
    hooks = TrainingHooks(
        draw=known.astype("float64"),
        build=build,
        loss=partial(loss, stage.job.real("alpha")),
        score=partial(score, torch.from_numpy(data.held_out.t)),
        as_images=True,
    )
    train_classifier(stage, data, hooks)


if __name__ == "__main__":
    main(train=train)
