"""EnD: features of one tone are made orthogonal, and those of one class drawn together across tones."""

from functools import partial

import torch
from torch import Tensor
from torch.nn import functional

from tonegap_kit.backbones import Classifier
from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.told_groups import told_groups
from tonegap_kit.training import Batch, weighted_cross_entropy


def cosines(z: Tensor, y: Tensor, t: Tensor) -> tuple[Tensor, Tensor]:
    """Mean |cosine| over pairs of features [b, d] of one tone, and mean cosine over those of a class across tones.

    Each is 0 where there is no such pair.

    Source: R_perp and R_par of Tartaglione et al. 2021, as means over pairs of the whole batch.
    """
    unit = functional.normalize(z.float(), dim=1)
    cosine = unit @ unit.T
    known = (t != UNKNOWN)[:, None] & (t != UNKNOWN)[None, :]
    same_tone = t[:, None] == t[None, :]
    others = ~torch.eye(len(t), dtype=torch.bool, device=t.device)
    within = known & same_tone & others
    across = known & ~same_tone & (y[:, None] == y[None, :])
    return _mean(cosine.abs(), within), _mean(cosine, across)


def _mean(values: Tensor, chosen: Tensor) -> Tensor:
    return (values * chosen).sum() / chosen.sum().clamp(min=1)


def loss(alpha: float, beta: float, model: Classifier, batch: Batch) -> Tensor:
    """Mean cross-entropy, plus alpha times the cosines within a tone, less beta times those across tones."""
    z = model.features(batch.x)
    within, across = cosines(z, batch.y, batch.t)
    return weighted_cross_entropy(model.head(z), batch) + alpha * within - beta * across


def train(stage: Stage) -> None:
    """Leaves the predictions of the classifier."""
    stage, data = told_groups(stage, read_training_data(stage))
    job = stage.job
    hooks = TrainingHooks(
        draw=draw_named(job.text("sampler"), data.train.y),
        loss=partial(loss, job.real("alpha"), job.real("beta")),
    )
    train_classifier(stage, data, hooks)


if __name__ == "__main__":
    main(train=train)
