"""ODR: a code for the class and a code for the tone, with orthogonal priors."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from tonegap_kit.backbones import Classifier
from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.errors import StageError
from tonegap_kit.told_groups import told_groups
from tonegap_kit.tone_heads import negative_entropy, tone_cross_entropy
from tonegap_kit.training import Batch, weighted_cross_entropy


class TwoCodes(nn.Module):
    """Features, and of them the mean and the log variance of two codes; a class head and a tone head on one each."""

    def __init__(self, classifier: Classifier, width: int, n_classes: int, n_tones: int) -> None:
        super().__init__()
        self.trunk = classifier.with_head(nn.Identity())
        features = classifier.width
        self.of_class, self.of_tone = (nn.Linear(features, 2 * width) for _ in range(2))
        self.class_head, self.tone_head = nn.Linear(width, n_classes), nn.Linear(width, n_tones)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [b, k] by the mean of the code of the class."""
        mean, _ = self.of_class(self.trunk(x)).chunk(2, dim=1)
        scores: Tensor = self.class_head(mean)
        return scores


def distance(mean: Tensor, log_variance: Tensor, prior: Tensor) -> Tensor:
    """Kullback-Leibler divergence of normal codes [b, d] from N(prior, 1), mean over rows, in nats."""
    each = log_variance.exp() + (mean - prior) ** 2 - 1 - log_variance
    return each.sum(dim=1).mean() / 2


def priors(width: int) -> tuple[Tensor, Tensor]:
    """Means of both priors: orthogonal, of equal length."""
    one = (torch.arange(width) < width // 2).float()
    return 1 - one, one


@dataclass(frozen=True, slots=True)
class Orthogonal:
    """The loss, with the weights of the priors and of the entropy."""

    prior: float
    entropy: float

    def __call__(self, model: TwoCodes, batch: Batch) -> Tensor:
        """Cross-entropies of class and tone by drawn codes, both distances, and the tone head's negative entropy.

        Source: Sarhan et al. 2020, equation 10, with constant weights.
        """
        features = model.trunk(batch.x)
        codes = [part(features).chunk(2, dim=1) for part in (model.of_class, model.of_tone)]
        z, s = (m + (v / 2).exp() * torch.randn_like(m) for m, v in codes)
        apart = sum(
            distance(m, v, p.to(m)) for (m, v), p in zip(codes, priors(z.shape[1]), strict=True)
        )
        return (
            weighted_cross_entropy(model.class_head(z), batch)
            + tone_cross_entropy(model.tone_head(s), batch.t)
            + self.prior * apart
            + self.entropy * negative_entropy(model.tone_head, z)
        )


def build(stage: Stage, classifier: Classifier) -> TwoCodes:
    """Two codes on the job's backbone. Raises StageError for a width that has no half."""
    job, width = stage.job, stage.job.integer("code")
    if width < 2 or width % 2:
        raise StageError(f"code is {width}, wanted an even number, 2 or more")
    return TwoCodes(classifier, width, len(job.classes), len(job.tones))


def train(stage: Stage) -> None:
    """Leaves the predictions by the code of the class."""
    stage, data = told_groups(stage, read_training_data(stage))
    job = stage.job
    hooks = TrainingHooks(
        draw=draw_named(job.text("sampler"), data.train.y),
        build=build,
        loss=Orthogonal(job.real("prior_weight"), job.real("entropy_weight")),
    )
    train_classifier(stage, data, hooks)


if __name__ == "__main__":
    main(train=train)
