"""Turns rows of a partition into tensors on the device, batch by batch.

Images stay 8-bit on disk until their batch is due. A batch leaves as `float32 [b, 3, s, s]` in the
channels-last layout, which is how the images lie on disk and what convolutions like best.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor

from tonegap_kit.augment import Augmentation, centre
from tonegap_kit.partition import Pictures
from tonegap_kit.views import Viewer

# Mean and standard deviation of ImageNet's red, green and blue, which all of the papers normalise by.
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class Source(Protocol):
    """Rows that can be asked for as tensors."""

    def __len__(self) -> int: ...

    def take(self, rows: Tensor) -> Tensor:
        """What the network sees of these rows, on its device."""


@dataclass(frozen=True, slots=True)
class ImageSource:
    """Images that are normalised, and augmented if they are to be, when they are asked for.

    `rng`: what draws come from; None: nothing is drawn. `view`: how stored pictures become views; None: as they are.
    """

    pictures: Pictures
    centre_crop: float
    device: torch.device
    augmentation: Augmentation | None = None
    rng: torch.Generator | None = None
    view: Viewer | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    def take(self, rows: Tensor) -> Tensor:
        """Images `float32 [b, 3, s, s]` with about zero mean and unit spread."""
        images = torch.from_numpy(self.pictures.take(rows.numpy())).to(self.device)
        augmented = self.augmentation is not None and self.rng is not None
        share = 1.0 if augmented else self.centre_crop
        if self.view is not None:
            told = self.pictures.aspects(rows.numpy())
            aspect = None if told is None else torch.from_numpy(told)
            images = self.view.shown(images, aspect, self.rng, share)
        else:
            images = centre(images, share)
        if self.augmentation is not None and self.rng is not None:
            images = centre(self.augmentation(images, self.rng), self.centre_crop)
        return normalise(images)


@dataclass(frozen=True, slots=True)
class TensorSource:
    """Features that were computed once, `float32 [n, d]`, on the device."""

    x: Tensor

    def __len__(self) -> int:
        return len(self.x)

    def take(self, rows: Tensor) -> Tensor:
        """Features `float32 [b, d]`."""
        return self.x[rows.to(self.x.device)]


@dataclass(frozen=True, slots=True)
class ViewSource:
    """Features of several views of each row, `float32 [views, n, d]`; a row is any of its views, by draw."""

    x: Tensor
    rng: torch.Generator

    def __len__(self) -> int:
        return self.x.shape[1]

    def take(self, rows: Tensor) -> Tensor:
        """Features `float32 [b, d]`."""
        view = torch.randint(len(self.x), (len(rows),), generator=self.rng)
        return self.x[view.to(self.x.device), rows.to(self.x.device)]


@dataclass(frozen=True, slots=True)
class NoRows:
    """Nothing to be asked for: what is predicted while a network is only prepared."""

    def __len__(self) -> int:
        return 0

    def take(self, rows: Tensor) -> Tensor:
        """An empty tensor."""
        return rows.float()


def in_batches(rows: Tensor, size: int) -> list[Tensor]:
    """The rows in order, `size` at a time; the last batch may be smaller."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def normalise(images: Tensor) -> Tensor:
    """Images [b, s, s, 3] of 0 to 255 as `float32 [b, 3, s, s]` by ImageNet's mean and deviation."""
    planes = images.float().permute(0, 3, 1, 2)
    # What is multiplied lies in memory as the images do: colour by colour, or pixel by pixel.
    by_colour = planes.is_contiguous()
    scale, shift = _scale_and_shift(images.shape[1:], images.device, by_colour)
    return planes.mul_(scale).add_(shift)


@lru_cache(maxsize=4)
def _scale_and_shift(
    shape: torch.Size, device: torch.device, by_colour: bool
) -> tuple[Tensor, Tensor]:
    """Factor and summand of each number of an image of this shape [s, s, 3], as [3, s, s]."""
    deviation = torch.tensor(DEVIATION, device=device)
    of_channel = 1 / (255 * deviation), -torch.tensor(MEAN, device=device) / deviation
    # As large as an image: three numbers for each pixel would be six times slower.
    scale, shift = (v.expand(shape).contiguous().permute(2, 0, 1) for v in of_channel)
    return (scale.contiguous(), shift.contiguous()) if by_colour else (scale, shift)
