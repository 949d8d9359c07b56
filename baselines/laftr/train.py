"""LAFTR: an adversary's error on the tone, mean over tones and classes, is made large by the features."""

from functools import partial

import torch
from torch import Tensor

from tonegap_kit.backbones import Classifier
from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.told_groups import told_groups
from tonegap_kit.tone_heads import Reversed, TwoHeads, adversary_by_class, of_own_class, two_heads
from tonegap_kit.training import Batch, weighted_cross_entropy


def build(stage: Stage, classifier: Classifier) -> TwoHeads:
    """Class head and adversary on the same features; the adversary has outputs for each class of its own."""
    return two_heads(stage, classifier, adversary_by_class(stage))


def error(tone_scores: Tensor, batch: Batch, parts: str, n_classes: int) -> Tensor:
    """1 - p(the row's tone), mean over the rows of each part and then over the parts that are there; 0 for none.

    Of two tones it is |a - a'|. Source: Madras et al. 2018, equations 5 and 7, divided by the number of parts.
    """
    known = batch.t != UNKNOWN
    y, t = batch.y[known], batch.t[known]
    if not len(t):
        return tone_scores.sum() * 0
    p = of_own_class(tone_scores[known], y, n_classes).softmax(dim=1)
    wrong = 1 - p[torch.arange(len(t), device=t.device), t]
    part = t if parts == "tone" else t * n_classes + y
    return torch.stack([wrong[part == one].mean() for one in torch.unique(part).tolist()]).mean()


def loss(weight: float, parts: str, model: TwoHeads, batch: Batch) -> Tensor:
    """Mean cross-entropy of the class, and the adversary's error, whose gradient reaches the features reversed."""
    z = model.trunk(batch.x)
    backwards: Tensor = Reversed.apply(z, weight)
    scores = model.class_head(z)
    wrong = error(model.tone_head(backwards), batch, parts, scores.shape[1])
    return weighted_cross_entropy(scores, batch) + wrong


def train(stage: Stage) -> None:
    """Leaves the predictions of the class head."""
    stage, data = told_groups(stage, read_training_data(stage))
    job = stage.job
    hooks = TrainingHooks(
        draw=draw_named(job.text("sampler"), data.train.y),
        build=build,
        loss=partial(loss, job.real("adversary_weight"), job.text("parts")),
    )
    train_classifier(stage, data, hooks)


if __name__ == "__main__":
    main(train=train)
