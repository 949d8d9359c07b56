"""A network with a second head that names the tone, and what can be done with that head.

Shared by the baselines that unlearn features which tell the tone. Rows of unknown
tone are left out wherever a tone is asked for, and kept wherever none is needed.
"""

from collections.abc import Callable
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from tonegap_kit.backbones import Classifier, head_named
from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.partition import UNKNOWN
from tonegap_kit.sources import Source, in_batches
from tonegap_kit.training import Batch, weighted_cross_entropy

_BATCH = 256
MakeHead = Callable[[int, int], nn.Module]  # from a width and a number of outputs


class TwoHeads(nn.Module):
    """A trunk that gives features [b, width], a class head and a tone head that both stand on them."""

    def __init__(self, trunk: nn.Module, class_head: nn.Module, tone_head: nn.Module) -> None:
        super().__init__()
        self.trunk, self.class_head, self.tone_head = trunk, class_head, tone_head

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [b, k] of a batch."""
        scores: Tensor = self.class_head(self.trunk(x))
        return scores

    def tone_scores(self, x: Tensor) -> Tensor:
        """What the tone head makes of a batch, [b, tones]."""
        scores: Tensor = self.tone_head(self.trunk(x))
        return scores


class Reversed(torch.autograd.Function):
    """Features as they are; on the way back their gradient, times -strength."""

    @staticmethod
    def forward(ctx: FunctionCtx, z: Tensor, strength: float) -> Tensor:
        """The features unchanged."""
        ctx.strength = strength  # type: ignore[attr-defined]
        return z.view_as(z)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> tuple[Tensor, None]:
        """The gradient turned round."""
        return -ctx.strength * gradient, None  # type: ignore[attr-defined]


def two_heads(
    stage: Stage, classifier: Classifier, make_tone_head: MakeHead = nn.Linear
) -> TwoHeads:
    """The classifier's body, a linear layer down to `width` features, and both heads on those.

    Raises StageError for parameters `width` and `tone_outputs` that cannot be.

    Source: the network of FairDisCo, Du et al. 2022, whose `width` is 256.
    """
    width = positive(stage, "width")
    narrow = classifier.with_head(nn.Linear(classifier.width, width))
    class_head = head_named(stage.job.text("head"), width, len(stage.job.classes))
    return TwoHeads(narrow, class_head, make_tone_head(width, n_tone_outputs(stage)))


def n_tone_outputs(stage: Stage) -> int:
    """How many outputs a tone head has: as many as the task has tones, unless `tone_outputs` says more."""
    asked = stage.job.integer("tone_outputs") if "tone_outputs" in stage.job.parameters else 0
    n_tones = len(stage.job.tones)
    if asked and asked < n_tones:
        raise StageError(
            f"tone_outputs is {asked}, wanted 0 or at least the {n_tones} tones of the task"
        )
    return asked or n_tones


def positive(stage: Stage, name: str) -> int:
    """A parameter that counts something. Raises StageError if it is below 1."""
    value = stage.job.integer(name)
    if value < 1:
        raise StageError(f"{name} is {value}, wanted 1 or more")
    return value


def disentangling(model: TwoHeads, z: Tensor, batch: Batch, alpha: float) -> Tensor:
    """L_c + alpha * L_conf + L_s of features `z [b, width]`: name the class, and leave the tone head at a loss.

    L_s, by which the tone head learns nonetheless, sees the features without moving them. The tone head gets
    the gradient of both its losses.

    Source: Du et al. 2022 (FairDisCo), whose alpha is 1.
    """
    of_class = weighted_cross_entropy(model.class_head(z), batch)
    of_tone = tone_cross_entropy(model.tone_head(z.detach()), batch.t)
    return of_class + alpha * confusion(model.tone_head(z)) + of_tone


def adversary_by_class(stage: Stage) -> MakeHead:
    """Makes a tone head of one hidden layer, `adversary_hidden` wide, with outputs for the tones of each class."""
    hidden, n_classes = positive(stage, "adversary_hidden"), len(stage.job.classes)

    def made(width: int, n_tones: int) -> nn.Module:
        return nn.Sequential(
            nn.Linear(width, hidden), nn.ReLU(), nn.Linear(hidden, n_classes * n_tones)
        )

    return made


def of_own_class(tone_scores: Tensor, y: Tensor, n_classes: int) -> Tensor:
    """Tone scores [b, tones] of each row at the outputs of its class, of those of all classes [b, classes * tones]."""
    by_class = tone_scores.view(len(y), n_classes, -1)
    return by_class[torch.arange(len(y), device=y.device), y]


def confusion(tone_scores: Tensor) -> Tensor:
    """Mean over rows and tones of -log p(tone): least where the tone head holds all tones for as likely.

    Needs no tone, so that rows of unknown tone count too.

    Source: L_conf of Du et al. 2022 (FairDisCo), after Alvi et al. 2018.
    """
    return -functional.log_softmax(tone_scores.float(), dim=1).mean()


def negative_entropy(tone_head: nn.Module, z: Tensor) -> Tensor:
    """Mean over rows of the sum of q log q, of what a tone head says of features [b, d]; its gradient is theirs alone.

    Least where all tones are as likely. Needs no tone.
    """
    fixed = {name: p.detach() for name, p in tone_head.named_parameters()}
    scores = torch.func.functional_call(tone_head, fixed, (z,)).float()
    log_q = functional.log_softmax(scores, dim=1)
    return (log_q.exp() * log_q).sum(dim=1).mean()


def tone_cross_entropy(tone_scores: Tensor, t: Tensor) -> Tensor:
    """Mean cross-entropy of the tone over rows of known tone; 0 where a batch has none."""
    known = t != UNKNOWN
    total = functional.cross_entropy(tone_scores[known], t[known], reduction="sum")
    return total / known.sum().clamp(min=1)


class NamesTones(Protocol):
    """A network with a tone head."""

    def tone_scores(self, x: Tensor) -> Tensor:
        """What the tone head makes of a batch, [b, tones]."""


def tone_head_notes(t: Tensor, model: NamesTones, held_out: Source) -> dict[str, object]:
    """How well a network names the tones `t [n]` of held-out rows, beside the share of their commonest tone.

    Empty where no held-out row has a tone.
    """
    rows = torch.nonzero(t != UNKNOWN).flatten()
    if len(rows) == 0:
        return {}
    with torch.no_grad():
        batches = in_batches(rows, _BATCH)
        named = torch.cat(
            [model.tone_scores(held_out.take(some)).argmax(dim=1).cpu() for some in batches]
        )
    truth = t[rows]
    return {
        "tone_head_accuracy": round((named == truth).double().mean().item(), 4),
        "most_frequent_tone": round(truth.bincount().max().item() / len(rows), 4),
    }
