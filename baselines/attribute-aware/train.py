"""Attribute-aware: the classifier is told the tone of an image, in training and at test."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from tonegap_kit.backbones import Classifier, head_named
from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.tone_heads import positive
from tonegap_kit.training import Batch, weighted_cross_entropy


class ToldTheTone(nn.Module):
    """Class scores from an image's features and its tone, which is added to them as a learned vector.

    An unknown tone is no tone at all: only the vector's constant part is added.
    """

    def __init__(self, trunk: nn.Module, head: nn.Module, n_tones: int, width: int) -> None:
        super().__init__()
        self.trunk, self.head, self.n_tones = trunk, head, n_tones
        self.of_tone = nn.Linear(n_tones, width)

    def forward(self, x: Tensor, t: Tensor) -> Tensor:
        """Class scores [b, k] of a batch and its tones `t [b]`, -1 where unknown."""
        tone = functional.one_hot(t + 1, self.n_tones + 1)[:, 1:].float()
        scores: Tensor = self.head(functional.relu(self.trunk(x) + self.of_tone(tone)))
        return scores


def build(stage: Stage, classifier: Classifier) -> ToldTheTone:
    """The classifier's body, a linear layer down to `width` features, and a head that is told the tone."""
    width = positive(stage, "width")
    trunk = classifier.with_head(nn.Linear(classifier.width, width))
    head = head_named(stage.job.text("head"), width, len(stage.job.classes))
    return ToldTheTone(trunk, head, len(stage.job.tones), width)


def loss(model: nn.Module, batch: Batch) -> Tensor:
    """Mean cross-entropy, as in plain training, of scores that know the tone."""
    return weighted_cross_entropy(model(batch.x, batch.t), batch)


def score(t: Tensor, model: nn.Module, x: Tensor, rows: Tensor) -> Tensor:
    """Class scores of held-out inputs, by the tones `t [n]` of all held-out rows."""
    scores: Tensor = model(x, t[rows].to(x.device))
    return scores


def train(stage: Stage) -> None:
    """Leaves the predictions of a classifier that is told every image's tone."""
    data = read_training_data(stage)
    hooks = TrainingHooks(
        draw=draw_named(stage.job.text("sampler"), data.train.y),
        build=build,
        loss=loss,
        score=partial(score, torch.from_numpy(data.held_out.t)),
    )
    train_classifier(stage, data, hooks)


if __name__ == "__main__":
    main(train=train)
