"""Prepares what a network learns from in a `train` stage: images, or features that are computed once.

Features can be computed once where the body is frozen and an image always looks the same, or looks one of a
fixed number of ways.
"""

from dataclasses import dataclass

import torch
from torch import nn

from tonegap_kit.augment import Augmentation, input_size
from tonegap_kit.backbones import Classifier
from tonegap_kit.command import Stage, say
from tonegap_kit.determinism import generator
from tonegap_kit.errors import StageError
from tonegap_kit.partition import Pictures
from tonegap_kit.sources import (
    ImageSource,
    NoRows,
    Source,
    TensorSource,
    ViewSource,
    in_batches,
)
from tonegap_kit.views import viewer

_FEATURE_BATCH = 256


@dataclass(frozen=True, slots=True)
class TrainingImages:
    """The images of a stage: to train on, to train on before that (None: none), and to predict.

    `augment` is done to training images after what the job's parameters say. `as_images`: features will not do.
    """

    train: Pictures
    before: Pictures | None
    held_out: Pictures
    augment: Augmentation | None
    as_images: bool


@dataclass(frozen=True, slots=True)
class Learner:
    """What learns, and from what: the whole classifier from images, or its head alone from features."""

    classifier: Classifier
    train: Source
    before: Source
    held_out: Source


def centre_crop(stage: Stage) -> float:
    """The share of an image's side that the job's parameters let the network see."""
    share = stage.job.real("centre_crop")
    if not 0 < share <= 1:
        raise StageError(f"centre_crop is {share}, wanted a share of the side in (0, 1]")
    return share


def input_px(stage: Stage) -> int:
    """Side in pixels of what the network sees."""
    return input_size(viewer(stage).px or stage.job.size_px, centre_crop(stage))


def features_or_images(
    stage: Stage, images: TrainingImages, model: Classifier, device: torch.device
) -> Learner:
    """The images as the model gets it. Raises StageError for fixed views of a model that changes."""
    share, view = centre_crop(stage), viewer(stage)
    rng = generator(stage.seed_of("augmentation"))
    train = ImageSource(images.train, share, device, images.augment, rng, view)
    held_out = ImageSource(images.held_out, share, device, view=view)
    before: Source = NoRows()
    if images.before is not None:
        before = ImageSource(images.before, share, device, images.augment, rng, view)
    parts = None if images.as_images else _fixed_and_rest(model)
    is_random = view.is_random or images.augment is not None
    n_views = 1 if not is_random else _fixed_views(stage, can_be_kept=parts is not None)
    if parts is None or n_views == 0:
        return Learner(model, train, before, held_out)
    fixed, rest = parts
    say(f"the backbone is frozen: features of {n_views} view(s) of each image are computed once")
    draw = generator(stage.seed_of("views"))
    return Learner(
        classifier=Classifier(rest, model.head, is_frozen=True),
        train=_features(fixed, train, n_views, draw),
        before=before if images.before is None else _features(fixed, before, n_views, draw),
        held_out=_features(fixed, held_out, 1, draw),
    )


def _fixed_and_rest(model: Classifier) -> tuple[nn.Module, nn.Module] | None:
    """A frozen body as the part whose output for an image never changes, and the rest, from the first dropout on.

    None where there is no such part. A dropout can be split at where it stands among the layers around the
    head, as in VGG; the body is then that part alone.
    """
    if not model.is_frozen:
        return None
    if model.has_fixed_features:
        return model.body, nn.Identity()
    named = list(model.body.named_children())
    where, last = named[-1] if named else ("", model.body)
    if not (isinstance(last, nn.Sequential) and isinstance(last[-1], nn.Identity)):
        return None
    places = [i for i, layer in enumerate(last) if isinstance(layer, nn.Dropout)]
    if len(places) < sum(isinstance(m, nn.Dropout) for m in model.body.modules()):
        return None
    model.body.set_submodule(where, last[: places[0]])
    return model.body, last[places[0] :]


def _fixed_views(stage: Stage, can_be_kept: bool) -> int:
    """How many looks an augmented image has; 0 for a new one each time."""
    n = stage.job.integer("fixed_views") if "fixed_views" in stage.job.parameters else 0
    if n < 0:
        raise StageError(f"fixed_views is {n}, wanted 0 (a new view each time) or more")
    if n > 0 and not can_be_kept:
        raise StageError(
            f"fixed_views is {n}, but this network needs images in each step; fixed views are for a frozen "
            "backbone whose features can be kept: use 0"
        )
    return n


def _features(body: nn.Module, source: Source, n_views: int, draw: torch.Generator) -> Source:
    body.eval()
    views = []
    with torch.no_grad():
        for _ in range(n_views):
            batches = in_batches(torch.arange(len(source)), _FEATURE_BATCH)
            views.append(torch.cat([body(source.take(rows)) for rows in batches]))
    return TensorSource(views[0]) if n_views == 1 else ViewSource(torch.stack(views), draw)
