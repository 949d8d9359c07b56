"""Random pictures from pictures: every image of a batch gets a transform of its own.

Works on whole batches of 8-bit images, so that it costs less than the smallest network trained on
them. Random numbers are drawn on the CPU whatever the device is, so a GPU sees the same transforms.
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from tonegap_kit.errors import StageError

# From images uint8 [b, s, s, 3] and a generator to images of the same shape, uint8 or float 0 to 255.
Augmentation = Callable[[Tensor, torch.Generator], Tensor]

CROP_AREA = (0.8, 1.0)  # share of the image that the papers' random crop keeps
CROP_ASPECT = (3 / 4, 4 / 3)  # the default of torchvision's RandomResizedCrop
ROTATION_DEG = 15.0
_CROP_TRIES = 10  # as torchvision: candidates that do not fit into the image are drawn again


def augmentation_named(name: str) -> Augmentation | None:
    """The augmentation called `none` (None), `flip-shift` or `crop-rotate-flip`."""
    known: dict[str, Augmentation | None] = {
        "none": None,
        "flip-shift": flip_shift,
        "crop-rotate-flip": crop_rotate_flip,
    }
    if name not in known:
        raise StageError(f"augmentation is {name!r}, wanted one of {', '.join(known)}")
    return known[name]


def flip_shift(images: Tensor, rng: torch.Generator) -> Tensor:
    """Flipped left to right or not, and moved by up to an eighth of the side; edges are mirrored.

    Moves whole pixels, so it costs a copy and changes no colour.
    """
    n, side = images.shape[:2]
    reach = side // 8
    shift = torch.randint(-reach, reach + 1, (2, n, 1), generator=rng)
    flip = torch.rand(n, 1, generator=rng) < 0.5
    y, x = _mirrored(torch.arange(side) + shift, side)
    x = torch.where(flip, side - 1 - x, x)
    first = torch.arange(n)[:, None] * side
    source = ((first + y)[:, :, None] * side + x[:, None, :]).flatten().to(images.device)
    return images.reshape(-1, 3).index_select(0, source).reshape(images.shape)


def _mirrored(position: Tensor, side: int) -> Tensor:
    inside = position.abs()
    return torch.where(inside > side - 1, 2 * (side - 1) - inside, inside)


def crop_rotate_flip(images: Tensor, rng: torch.Generator) -> Tensor:
    """A random crop resized to the whole, rotated by up to 15 degrees and flipped, or not.

    The papers do these one after the other; here they are one affine map, so a pixel is interpolated
    once. What the rotation brings in from outside of the crop is black, as with theirs.

    Source: Groh et al. 2021 (`train.py`), used again by skin-diff and FairDisCo.
    """
    n, side = images.shape[:2]
    size, centre = _random_crops(n, rng)
    angle = (torch.rand(n, generator=rng) * 2 - 1) * math.radians(ROTATION_DEG)
    flip = torch.where(torch.rand(n, generator=rng) < 0.5, -1.0, 1.0)
    # From the result's coordinates, -1 to 1, to the crop's: undo the flip, then the rotation.
    rotation = torch.stack(
        [
            torch.stack([angle.cos() * flip, -angle.sin()], dim=1),
            torch.stack([angle.sin() * flip, angle.cos()], dim=1),
        ],
        dim=1,
    )
    in_crop = _grid(side) @ rotation.transpose(1, 2)
    grid = in_crop * size[:, None] + centre[:, None]
    outside = (in_crop.abs() > 1).any(dim=2)
    picture = functional.grid_sample(
        images.permute(0, 3, 1, 2).float(),
        grid.reshape(n, side, side, 2).to(images.device),
        padding_mode="border",
        align_corners=False,
    )
    picture.masked_fill_(outside.reshape(n, 1, side, side).to(images.device), 0)
    return picture.permute(0, 2, 3, 1)


def _grid(side: int) -> Tensor:
    """Where every pixel's centre is: x and y, [side * side, 2], from -1 to 1 across the picture."""
    centre = (torch.arange(side) + 0.5) * 2 / side - 1
    y, x = torch.meshgrid(centre, centre, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=1)


def _random_crops(n: int, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Size and centre, x and y each, [n, 2], of random crops in shares of the image (-1 to 1)."""
    area = torch.empty(n, _CROP_TRIES).uniform_(*CROP_AREA, generator=rng)
    low, high = (math.log(aspect) for aspect in CROP_ASPECT)
    aspect = torch.empty(n, _CROP_TRIES).uniform_(low, high, generator=rng).exp()
    candidates = torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()], dim=2)
    fits = (candidates <= 1).all(dim=2)
    first = fits.int().argmax(dim=1)
    size = candidates[torch.arange(n), first]
    # Where no candidate fits, the whole image, as torchvision does for a square one.
    size = torch.where(fits.any(dim=1)[:, None], size, torch.ones_like(size))
    centre = (torch.rand(n, 2, generator=rng) * 2 - 1) * (1 - size)
    return size, centre
