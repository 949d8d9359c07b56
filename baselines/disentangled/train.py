"""Disentangled: features must name the class, and leave a head that is to name the tone at a loss."""

from functools import partial

import torch
from torch import Tensor

from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.told_groups import told_groups
from tonegap_kit.tone_heads import TwoHeads, disentangling, tone_head_notes, two_heads
from tonegap_kit.training import Batch


def loss(alpha: float, model: TwoHeads, batch: Batch) -> Tensor:
    """The disentangling loss of a batch's features."""
    return disentangling(model, model.trunk(batch.x), batch, alpha)


def train(stage: Stage) -> None:
    """Leaves the predictions of the class head, and notes how well the tone head did."""
    stage, data = told_groups(stage, read_training_data(stage))
    hooks = TrainingHooks(
        draw=draw_named(stage.job.text("sampler"), data.train.y),
        build=two_heads,
        loss=partial(loss, stage.job.real("alpha")),
        notes=partial(tone_head_notes, torch.from_numpy(data.held_out.t)),
    )
    train_classifier(stage, data, hooks)


if __name__ == "__main__":
    main(train=train)
