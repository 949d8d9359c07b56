"""How stored pictures become the squares that a network is shown: by chance in training, the middle when predicting.

The mistake it exists to prevent: training views that are softer, or of another shape, than those that are predicted,
without a word about it.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from tonegap_kit.augment import (
    INTERPOLATIONS,
    augmentation_named,
    centre,
    crop_rotate_flip,
    input_size,
)
from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError

_LEAST_PX = 8
_CROPPED = "crop-rotate-flip"


@dataclass(frozen=True, slots=True)
class Viewer:
    """Views of `px` pixels a side (0: as stored), by the augmentation of that name."""

    augmentation: str
    px: int = 0
    interpolation: str = "bilinear"

    @property
    def is_random(self) -> bool:
        """Whether two views of a picture may differ."""
        return self.augmentation != "none"

    def shown(
        self, images: Tensor, aspect: Tensor | None, rng: torch.Generator | None, share: float = 1.0
    ) -> Tensor:
        """The middle of a training view of each picture, drawn from `rng`; without, of the view that is predicted.

        `share`: of the view's side that the network sees.
        """
        if rng is None:
            return centre(self.still(images, aspect), share)
        return self.random(images, aspect, rng, share)

    def random(
        self, images: Tensor, aspect: Tensor | None, rng: torch.Generator, share: float = 1.0
    ) -> Tensor:
        """A training view of each picture [b, s, s, 3].

        `aspect` [b]: width over height of the frames that were squeezed to these squares, None where none was.
        """
        if self.augmentation == _CROPPED:  # it can leave out what the network does not see
            seen = input_size(self.px or images.shape[1], share)
            return crop_rotate_flip(images, rng, self.px, self.interpolation, aspect, seen)
        augment, still = augmentation_named(self.augmentation), self.still(images, aspect)
        return centre(still if augment is None else augment(still, rng), share)

    def still(self, images: Tensor, aspect: Tensor | None) -> Tensor:
        """The whole of each picture, of a frame its centre square, resized with antialiasing to `px`."""
        side = images.shape[1]
        px = self.px or side
        if px == side and aspect is None:
            return images
        shapes = [1.0] * len(images) if aspect is None else aspect.tolist()
        pictures = images.cpu().numpy()
        made = [_centre(one, a, px) for one, a in zip(pictures, shapes, strict=True)]
        return torch.from_numpy(np.stack(made)).to(images.device)


def _centre(picture: NDArray[np.uint8], aspect: float, px: int) -> NDArray[np.uint8]:
    """The centre square of a frame that was squeezed to this picture, `px` pixels a side."""
    side = len(picture)
    wide, high = side * min(1.0, 1 / aspect), side * min(1.0, aspect)
    left, top = (side - wide) / 2, (side - high) / 2
    box = (left, top, left + wide, top + high)
    resized = Image.fromarray(picture).resize((px, px), Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized)


def viewer(stage: Stage) -> Viewer:
    """The views that a job's parameters ask for. Raises StageError for a size or filter that is none."""
    job = stage.job
    px = job.integer("view_px") if "view_px" in job.parameters else 0
    if px and not _LEAST_PX <= px <= job.size_px:
        raise StageError(
            f"view_px is {px}, wanted 0 (as prepared) or {_LEAST_PX} to {job.size_px}, the side of prepared images"
        )
    filter_ = job.text("interpolation") if "interpolation" in job.parameters else "bilinear"
    if filter_ not in INTERPOLATIONS:
        raise StageError(f"interpolation is {filter_!r}, wanted {' or '.join(INTERPOLATIONS)}")
    name = job.text("augmentation")
    augmentation_named(name)
    return Viewer(name, px, filter_)
