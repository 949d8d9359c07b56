"""LNL: the tone head's answer is made uncertain by the features, and its gradient reaches them reversed."""

from functools import partial

import torch
from torch import Tensor

from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.told_groups import told_groups
from tonegap_kit.tone_heads import (
    Reversed,
    TwoHeads,
    negative_entropy,
    tone_cross_entropy,
    tone_head_notes,
    two_heads,
)
from tonegap_kit.training import Batch, weighted_cross_entropy


def loss(entropy: float, reversal: float, model: TwoHeads, batch: Batch) -> Tensor:
    """Cross-entropy of the class, entropy times the tone head's negative entropy, and the tone's cross-entropy.

    The second reaches the features and not the head; the third reaches the head, and the features reversed.

    Source: Kim et al. 2019, equations 4 and 5.
    """
    z = model.trunk(batch.x)
    of_class = weighted_cross_entropy(model.class_head(z), batch)
    backwards: Tensor = Reversed.apply(z, reversal)
    of_tone = tone_cross_entropy(model.tone_head(backwards), batch.t)
    return of_class + entropy * negative_entropy(model.tone_head, z) + of_tone


def train(stage: Stage) -> None:
    """Leaves the predictions of the class head, and notes how well the tone head did."""
    stage, data = told_groups(stage, read_training_data(stage))
    job = stage.job
    hooks = TrainingHooks(
        draw=draw_named(job.text("sampler"), data.train.y),
        build=two_heads,
        loss=partial(loss, job.real("entropy_weight"), job.real("adversary_weight")),
        notes=partial(tone_head_notes, torch.from_numpy(data.held_out.t)),
    )
    train_classifier(stage, data, hooks)


if __name__ == "__main__":
    main(train=train)
