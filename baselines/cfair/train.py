"""CFair: an adversary on the tone for each class, and weights by which classes and tones count alike."""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from tonegap_kit.backbones import Classifier
from tonegap_kit.baseline import TrainingHooks, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.told_groups import told_groups
from tonegap_kit.tone_heads import Reversed, TwoHeads, adversary_by_class, of_own_class, two_heads
from tonegap_kit.training import Batch


@dataclass(frozen=True, slots=True)
class Balance:
    """What a row's loss weighs: `of_class [k]` for the class, `of_tone [k, tones]` for the tone within the class."""

    of_class: Tensor
    of_tone: Tensor


def balance(y: NDArray[np.int64], t: NDArray[np.int64], n_classes: int, n_tones: int) -> Balance:
    """1 / (classes * share of the class), and 1 / (the class's tones * share of the tone in it), of training rows.

    Tones are counted where they are known. What has no image weighs 0.

    Source: Zhao et al. 2020, the balanced error rates of their objective as cost-sensitive cross-entropies.
    """
    of_class = _inverse_shares(np.bincount(y, minlength=n_classes)[None])[0]
    known = t != UNKNOWN
    cells = np.bincount(y[known] * n_tones + t[known], minlength=n_classes * n_tones)
    of_tone = _inverse_shares(cells.reshape(n_classes, n_tones))
    return Balance(torch.from_numpy(of_class).float(), torch.from_numpy(of_tone).float())


def _inverse_shares(n: NDArray[np.int64]) -> NDArray[np.float64]:
    there = (n > 0).sum(axis=1, keepdims=True).clip(1)
    return np.where(n > 0, n.sum(axis=1, keepdims=True) / (there * n.clip(1)), 0.0)


@dataclass(frozen=True, slots=True)
class AgainstTones:
    """The loss, with the factor of the reversed gradient."""

    weight: float
    balance: Balance

    def __call__(self, model: TwoHeads, batch: Batch) -> Tensor:
        """Balanced cross-entropy of the class, plus that of the tone by class, mean over the batch's classes."""
        z = model.trunk(batch.x)
        scores = model.class_head(z)
        losses = functional.cross_entropy(scores, batch.y, reduction="none") * batch.w
        of_class = (losses * self.balance.of_class.to(losses)[batch.y]).mean()
        backwards: Tensor = Reversed.apply(z, self.weight)
        return of_class + self._of_tone(model.tone_head(backwards), batch, scores.shape[1])

    def _of_tone(self, tone_scores: Tensor, batch: Batch, n_classes: int) -> Tensor:
        known = batch.t != UNKNOWN
        y, t = batch.y[known], batch.t[known]
        if not len(t):
            return tone_scores.sum() * 0
        own = of_own_class(tone_scores[known], y, n_classes)
        losses = functional.cross_entropy(own, t, reduction="none")
        losses = losses * self.balance.of_tone.to(losses)[y, t]
        return torch.stack([losses[y == label].mean() for label in torch.unique(y).tolist()]).mean()


def build(stage: Stage, classifier: Classifier) -> TwoHeads:
    """Class head and adversaries on the same features."""
    return two_heads(stage, classifier, adversary_by_class(stage))


def train(stage: Stage) -> None:
    """Leaves the predictions of the class head."""
    stage, data = told_groups(stage, read_training_data(stage))
    job = stage.job
    weights = balance(data.train.y, data.train.t, len(job.classes), len(job.tones))
    loss = AgainstTones(job.real("adversary_weight"), weights)
    train_classifier(stage, data, TrainingHooks(build=build, loss=loss))


if __name__ == "__main__":
    main(train=train)
