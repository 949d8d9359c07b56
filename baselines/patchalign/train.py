"""PatchAlign: patches of the image are matched with the names of conditions, and the tone is confused."""

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from label_texts import letter_vectors, read_text_vectors
from patches import Patches
from tonegap_kit.backbones import Classifier, head_named
from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.tone_heads import (
    confusion,
    n_tone_outputs,
    positive,
    tone_cross_entropy,
    tone_head_notes,
)
from tonegap_kit.training import Batch, weighted_cross_entropy
from tonegap_kit.training_images import input_px
from transport import graph_transport


@dataclass(frozen=True, slots=True)
class Weights:
    """Of the confusion loss, the transport loss and the graph part in it; the transport's steps and last plan."""

    alpha: float
    transport: float
    graph_share: float
    steps: int
    detach_plan: bool


class PatchAlign(nn.Module):
    """Patch features, a mask between them and the texts, and class and tone heads on every patch.

    `texts [m, e]`: one vector for each text. Where patches have another width, a linear layer brings them
    to that of the texts; the published network's are both 768.
    """

    texts: Tensor

    def __init__(
        self, patches: Patches, class_head: nn.Module, texts: Tensor, n_tones: int, hidden: int
    ) -> None:
        super().__init__()
        self.patches, self.class_head = patches, class_head
        self.tone_head = nn.Linear(patches.d, n_tones)
        self.register_buffer("texts", texts, persistent=False)
        m, e = texts.shape
        self.to_texts = nn.Identity() if e == patches.d else nn.Linear(patches.d, e)
        self.mask = nn.Sequential(
            nn.Flatten(),
            nn.Linear(patches.n * patches.d, hidden),
            nn.ReLU(),
            nn.Linear(hidden, patches.n * m),
            nn.Sigmoid(),
            nn.Unflatten(1, (patches.n, m)),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [b, k] of a batch: the mean over its patches."""
        scores: Tensor = self.class_head(self.masked(self.patches(x))[0]).mean(dim=1)
        return scores

    def masked(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Patch features [b, n, d], each times the sum of its row of the mask; and the mask [b, n, m]."""
        mask: Tensor = self.mask(z)
        return z * mask.sum(dim=2, keepdim=True), mask

    def tone_scores(self, x: Tensor) -> Tensor:
        """What the tone head makes of a batch, [b, tones]."""
        scores: Tensor = self.tone_head(self.patches(x)).mean(dim=1)
        return scores


def loss(weights: Weights, model: PatchAlign, batch: Batch) -> Tensor:
    """L_c + alpha * L_conf + L_s + transport * L_GOT. The texts are all of them, whatever the row's class."""
    z = model.patches(batch.x)
    seen, mask = model.masked(z)
    of_class = weighted_cross_entropy(model.class_head(seen).mean(dim=1), batch)
    confused = confusion(model.tone_head(seen).mean(dim=1))
    of_tone = tone_cross_entropy(model.tone_head(z.detach()).mean(dim=1), batch.t)
    texts = model.texts.expand(len(z), -1, -1)
    moved = graph_transport(
        model.to_texts(seen),
        texts,
        mask,
        weights.graph_share,
        weights.steps,
        detach_plan=weights.detach_plan,
    )
    return of_class + weights.alpha * confused + of_tone + weights.transport * moved


def build(stage: Stage, classifier: Classifier) -> PatchAlign:
    """The network of the paper around the job's backbone, whose pretrained first tensors do not learn."""
    patches = Patches(classifier, input_px(stage))
    # Random weights have nothing to be kept.
    if stage.file("weights") is not None:
        for tensor in list(patches.parameters())[: stage.job.integer("frozen_tensors")]:
            tensor.requires_grad_(False)
    head = head_named(stage.job.text("head"), patches.d, len(stage.job.classes))
    hidden = positive(stage, "mask_hidden")
    return PatchAlign(patches, head, texts(stage, patches.d), n_tone_outputs(stage), hidden)


def texts(stage: Stage, width: int) -> Tensor:
    """The vectors of the file `text_vectors`, or letters of the class names and `other_texts`."""
    path = stage.file("text_vectors")
    if path is not None:
        return read_text_vectors(path)
    return letter_vectors([*stage.job.classes, *stage.job.words("other_texts")], width)


def train(stage: Stage) -> None:
    """Leaves the predictions of the class head, and notes how well the tone head did."""
    data, job = read_training_data(stage), stage.job
    weights = Weights(
        job.real("alpha"),
        job.real("transport"),
        job.real("graph_share"),
        positive(stage, "steps"),
        job.flag("detach_plan"),
    )
    hooks = TrainingHooks(
        draw=draw_named(job.text("sampler"), data.train.y),
        build=build,
        loss=partial(loss, weights),
        notes=partial(tone_head_notes, torch.from_numpy(data.held_out.t)),
        as_images=True,
    )
    train_classifier(stage, data, hooks)


if __name__ == "__main__":
    main(train=train)
