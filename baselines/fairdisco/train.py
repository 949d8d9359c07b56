"""FairDisCo: disentangled features, and images of one class drawn together whatever their tone."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional

from tonegap_kit.backbones import Classifier
from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.errors import StageError
from tonegap_kit.told_groups import told_groups
from tonegap_kit.tone_heads import TwoHeads, disentangling, tone_head_notes, two_heads
from tonegap_kit.training import Batch

_FAR = -1e9  # a similarity that counts for nothing


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the confusion loss, of the contrastive loss, and the latter's temperature and floor."""

    alpha: float
    beta: float
    temperature: float
    floor: float


class FairDisCo(TwoHeads):
    """Class and tone heads, and a projection of the same features for the contrastive loss."""

    def __init__(self, heads: TwoHeads, width: int) -> None:
        super().__init__(heads.trunk, heads.class_head, heads.tone_head)
        self.projection = nn.Sequential(
            nn.Linear(width, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 128)
        )


def build(stage: Stage, classifier: Classifier) -> FairDisCo:
    """The network of the paper around the job's backbone."""
    return FairDisCo(two_heads(stage, classifier), stage.job.integer("width"))


def loss(weights: Weights, model: FairDisCo, batch: Batch) -> Tensor:
    """L_c + alpha * L_conf + L_s + beta * L_contr."""
    z = model.trunk(batch.x)
    together = contrast(model.projection(z), batch.y, weights.temperature, weights.floor)
    return disentangling(model, z, batch, weights.alpha) + weights.beta * together


def contrast(projections: Tensor, y: Tensor, temperature: float, floor: float = 0.0) -> Tensor:
    """Supervised contrastive loss of projections [b, d], by cosine over temperature; 0 without pairs.

    Mean over ordered pairs (i, j) of one class of -log(e_ij / (e_ij + sum of e_ik over k of other classes)):
    other images of the class are no rivals, unlike in Khosla et al. 2020. A `floor` above 0 is what published code
    adds to every e_ij, whose largest in a row is 1, once more to each denominator, and to the number of pairs.

    Source: L_contr of Du et al. 2022.
    """
    unit = functional.normalize(projections.float(), dim=1)
    similarity = unit @ unit.T / temperature
    same = y[:, None] == y[None, :]
    rivals = similarity.masked_fill(same, _FAR).logsumexp(dim=1, keepdim=True)
    pairs = same & ~torch.eye(len(y), dtype=torch.bool, device=y.device)
    if floor > 0:
        e = (similarity - similarity.max(dim=1, keepdim=True).values).exp() + floor
        below = e + (e * ~same).sum(dim=1, keepdim=True) + floor
        return ((below.log() - e.log()) * pairs).sum() / (pairs.sum() + floor)
    losses = torch.logaddexp(similarity, rivals) - similarity
    return (losses * pairs).sum() / pairs.sum().clamp(min=1)


def train(stage: Stage) -> None:
    """Leaves the predictions of the class head, and notes how well the tone head did."""
    stage, data = told_groups(stage, read_training_data(stage))
    job = stage.job
    floor = job.real("contrast_floor")
    if floor < 0:
        raise StageError(f"contrast_floor is {floor}, wanted 0 or more")
    weights = Weights(job.real("alpha"), job.real("beta"), job.real("temperature"), floor)
    hooks = TrainingHooks(
        draw=draw_named(job.text("sampler"), data.train.y),
        build=build,
        loss=partial(loss, weights),
        notes=partial(tone_head_notes, torch.from_numpy(data.held_out.t)),
    )
    train_classifier(stage, data, hooks)


if __name__ == "__main__":
    main(train=train)
