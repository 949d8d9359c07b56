"""DomainInd: a class head for each tone on shared features, and their mean where the tone is not told."""

import torch
from torch import Tensor, nn
from torch.nn import functional

from tonegap_kit.backbones import Classifier, head_named
from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.told_groups import told_groups
from tonegap_kit.training import Batch


class HeadByTone(nn.Module):
    """Features of an image, and a class head for each tone on them. Its forward knows no tone."""

    def __init__(self, classifier: Classifier, heads: list[nn.Module], combine: str) -> None:
        super().__init__()
        self.classifier, self.heads, self.combine = classifier, nn.ModuleList(heads), combine

    def by_tone(self, x: Tensor) -> Tensor:
        """Scores of every head, [b, tones, k]."""
        z = self.classifier.features(x)
        return torch.stack([head(z) for head in self.heads], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [b, k]: the mean of the heads' scores, or the log of their mean probability.

        Source: Wang et al. 2020, section 4: inference by the sum over domains.
        """
        scores = self.by_tone(x)
        if self.combine == "scores":
            return scores.mean(dim=1)
        return scores.softmax(dim=2).mean(dim=1).clamp(min=1e-12).log()


def build(stage: Stage, classifier: Classifier) -> HeadByTone:
    """The classifier's features under as many heads, of the kind that the job names, as there are tones."""
    job = stage.job
    heads = [
        head_named(job.text("head"), classifier.width, len(job.classes)).to(
            next(classifier.parameters()).device
        )
        for _ in job.tones
    ]
    # The head that the classifier came with is not trained.
    return HeadByTone(classifier.with_head(nn.Identity()), heads, job.text("combine"))


def loss(model: HeadByTone, batch: Batch) -> Tensor:
    """Mean over the batch of the cross-entropy at the head of the row's tone; over all heads where it is unknown."""
    scores = model.by_tone(batch.x)
    n_tones = scores.shape[1]
    y = batch.y[:, None].expand(-1, n_tones)
    losses = functional.cross_entropy(scores.transpose(1, 2), y, reduction="none")
    of_tone = functional.one_hot(batch.t + 1, n_tones + 1)[:, 1:].to(losses)
    share = torch.where((batch.t == UNKNOWN)[:, None], torch.ones_like(losses) / n_tones, of_tone)
    return ((losses * share).sum(dim=1) * batch.w).mean()


def train(stage: Stage) -> None:
    """Leaves the predictions of the mean of all heads."""
    stage, data = told_groups(stage, read_training_data(stage))
    draw = draw_named(stage.job.text("sampler"), data.train.y)
    train_classifier(stage, data, TrainingHooks(draw=draw, build=build, loss=loss))


if __name__ == "__main__":
    main(train=train)
