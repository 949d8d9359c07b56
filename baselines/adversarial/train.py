"""Adversarial: a head learns to name the tone, and its gradient reaches the features reversed."""

import math
from functools import partial

import torch
from torch import Tensor, nn

from tonegap_kit.backbones import Classifier
from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.told_groups import told_groups
from tonegap_kit.tone_heads import (
    Reversed,
    TwoHeads,
    positive,
    tone_cross_entropy,
    tone_head_notes,
    two_heads,
)
from tonegap_kit.training import Batch, n_steps, read_recipe, weighted_cross_entropy


class AgainstTone:
    """The loss, whose reversal grows with the share of steps done, from 0 to `weight`.

    Source: DANN, Ganin et al. 2016 (JMLR 17:59): 2 / (1 + exp(-gamma * share)) - 1.
    """

    def __init__(self, weight: float, gamma: float, n_steps: int) -> None:
        self.weight, self.gamma, self.n_steps = weight, gamma, n_steps
        self.step = 0

    def __call__(self, model: TwoHeads, batch: Batch) -> Tensor:
        """Cross-entropy of the class, plus that of the tone over rows of known tone."""
        z = model.trunk(batch.x)
        backwards: Tensor = Reversed.apply(z, self.strength())
        self.step += 1
        of_tone = tone_cross_entropy(model.tone_head(backwards), batch.t)
        return weighted_cross_entropy(model.class_head(z), batch) + of_tone

    def strength(self) -> float:
        """How strongly the next step's gradient is reversed."""
        share = self.step / self.n_steps
        return self.weight * (2 / (1 + math.exp(-self.gamma * share)) - 1)


def build(stage: Stage, classifier: Classifier) -> TwoHeads:
    """Class head and adversary on the same features; the adversary has a hidden layer."""
    hidden = positive(stage, "adversary_hidden")

    def adversary(width: int, n_tones: int) -> nn.Module:
        return nn.Sequential(nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, n_tones))

    return two_heads(stage, classifier, adversary)


def train(stage: Stage) -> None:
    """Leaves the predictions of the class head, and notes how well the adversary did."""
    stage, data = told_groups(stage, read_training_data(stage))
    job = stage.job
    steps = n_steps(read_recipe(job), data.epoch_rows or len(data.train))
    hooks = TrainingHooks(
        draw=draw_named(job.text("sampler"), data.train.y),
        build=build,
        loss=AgainstTone(job.real("adversary_weight"), job.real("adversary_gamma"), steps),
        notes=partial(tone_head_notes, torch.from_numpy(data.held_out.t)),
    )
    train_classifier(stage, data, hooks)


if __name__ == "__main__":
    main(train=train)
