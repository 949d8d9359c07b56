"""Multi-exit: classifiers inside the network learn with the last one, and an image leaves where one is sure."""

from functools import partial
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from tonegap_kit.backbones import Classifier
from tonegap_kit.baseline import TrainingHooks, draw_named, read_training_data, train_classifier
from tonegap_kit.command import Stage, main
from tonegap_kit.errors import StageError
from tonegap_kit.sources import Source, in_batches
from tonegap_kit.training import Batch
from tonegap_kit.training_images import input_px

_BATCH = 256


class MultiExit(nn.Module):
    """A classifier and linear exits on the mean of feature maps inside of it, from the first on."""

    def __init__(
        self, classifier: Classifier, places: dict[str, int], exits: list[nn.Module], sure: float
    ) -> None:
        """`places`: modules whose output the exits stand on, and the side of the map that is meant."""
        super().__init__()
        self.classifier, self.exits, self.sure = classifier, nn.ModuleList(exits), sure
        self._seen: dict[str, Tensor] = {}
        for name, side in places.items():
            classifier.body.get_submodule(name).register_forward_hook(
                partial(self._keep, name, side)
            )
        self._places = list(places)

    def _keep(self, name: str, side: int, _module: nn.Module, _given: object, out: Tensor) -> None:
        if out.dim() == 4 and out.shape[-1] == side:
            self._seen[name] = out.mean(dim=(2, 3))

    def all_scores(self, x: Tensor) -> Tensor:
        """Class scores of every exit and of the network's end, [b, exits + 1, k]."""
        last = self.classifier(x)
        inside = [
            head(self._seen[name]) for head, name in zip(self.exits, self._places, strict=True)
        ]
        self._seen = {}
        return torch.stack([*inside, last], dim=1)

    def forward(self, x: Tensor) -> Tensor:
        """Class scores [b, k] of the exit where each image leaves."""
        scores = self.all_scores(x)
        return scores[torch.arange(len(scores), device=scores.device), leaves_at(scores, self.sure)]


def leaves_at(scores: Tensor, sure: float) -> Tensor:
    """The exit `[b]` at which each image leaves, by all exits' class scores [b, exits, k].

    It is the first whose likeliest class has the probability `sure`, or else the exit with the largest; the first of
    equal ones.

    Source: Chiu et al. 2023, early exit policy.
    """
    confidence = scores.softmax(dim=2).amax(dim=2)
    is_sure = confidence >= sure
    return torch.where(is_sure.any(dim=1), is_sure.int().argmax(dim=1), confidence.argmax(dim=1))


def places_of(body: nn.Module, side_px: int) -> dict[str, tuple[int, int]]:
    """For each size of feature maps but the last: the last module that makes one, its side and its channels.

    Raises StageError for a network whose maps are all of one size, or that has none.
    """
    found: dict[int, tuple[str, int]] = {}

    def note(name: str, _module: nn.Module, _given: object, out: Tensor) -> None:
        if isinstance(out, Tensor) and out.dim() == 4 and out.shape[-1] > 1:
            found[out.shape[-1]] = (name, out.shape[1])

    leaves = [(name, m) for name, m in body.named_modules() if not list(m.children())]
    handles = [m.register_forward_hook(partial(note, name)) for name, m in leaves]
    was_training, device = body.training, next(body.parameters()).device
    body.eval()
    with torch.no_grad():
        body(torch.zeros(1, 3, side_px, side_px, device=device))
    body.train(was_training)
    for handle in handles:
        handle.remove()
    sides = sorted(found, reverse=True)[:-1]
    if not sides:
        raise StageError(
            "backbone has no feature maps of two sizes, so no place for an exit; use a CNN"
        )
    return {found[side][0]: (side, found[side][1]) for side in sides}


def build(stage: Stage, classifier: Classifier) -> MultiExit:
    """The job's classifier with an exit for each size of its feature maps."""
    places, k = places_of(classifier.body, input_px(stage)), len(stage.job.classes)
    exits: list[nn.Module] = [nn.Linear(channels, k) for _, channels in places.values()]
    sides = {name: side for name, (side, _) in places.items()}
    return MultiExit(classifier, sides, exits, stage.job.real("confidence"))


def loss(first: float, last: float, model: MultiExit, batch: Batch) -> Tensor:
    """Sum over exits of their weight times the mean cross-entropy; weights grow evenly from first to last."""
    scores = model.all_scores(batch.x)
    n = scores.shape[1]
    y = batch.y[:, None].expand(-1, n)
    losses = functional.cross_entropy(scores.transpose(1, 2), y, reduction="none")
    weights = torch.linspace(first, last, n, device=losses.device)
    return ((losses * weights).sum(dim=1) * batch.w).mean()


def exit_notes(network: nn.Module, held_out: Source) -> dict[str, object]:
    """The share of held-out images that leave at each exit of a MultiExit; the last is the network's end."""
    model = cast(MultiExit, network)
    rows = torch.arange(len(held_out))
    with torch.no_grad():
        left = torch.cat(
            [
                leaves_at(model.all_scores(held_out.take(some)), model.sure).cpu()
                for some in in_batches(rows, _BATCH)
            ]
        )
    shares = left.bincount(minlength=len(model.exits) + 1).double() / max(1, len(rows))
    return {"leave_at_exit": [round(share, 4) for share in shares.tolist()]}


def train(stage: Stage) -> None:
    """Leaves the predictions of the exits at which images leave, and notes how many leave where."""
    data, job = read_training_data(stage), stage.job
    hooks = TrainingHooks(
        draw=draw_named(job.text("sampler"), data.train.y),
        build=build,
        loss=partial(loss, job.real("first_weight"), job.real("last_weight")),
        as_images=True,
        notes=exit_notes,
    )
    train_classifier(stage, data, hooks)


if __name__ == "__main__":
    main(train=train)
