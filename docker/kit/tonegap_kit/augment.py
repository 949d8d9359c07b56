"""Random pictures from pictures: every image of a batch gets a transform of its own.

Works on whole batches of 8-bit images, so that it costs less than the smallest network trained on
them. Random numbers are drawn on the CPU whatever the device is, so a GPU sees the same transforms.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from tonegap_kit.errors import StageError

# From images uint8 [b, s, s, 3] and a generator to images of the same shape, uint8 or float 0 to 255.
Augmentation = Callable[[Tensor, torch.Generator], Tensor]

CROP_AREA = (0.8, 1.0)  # share of the image that the papers' random crop keeps
CROP_ASPECT = (3 / 4, 4 / 3)  # the default of torchvision's RandomResizedCrop
INTERPOLATIONS = ("bilinear", "bicubic")
ROTATION_DEG = 15.0
_CACHED_PIXELS = 65536
_STRONGEST = 30  # magnitude of torchvision's RandAugment
_CROP_TRIES = 10  # as torchvision: candidates that do not fit into the image are sampled again


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


def random_operations(n_operations: int, magnitude: int) -> Augmentation:
    """The augmentation that does so many of 14 random operations to each image, each of this strength.

    torchvision's RandAugment, whose strengths are 0 to 30. It draws from torch's global generator, which is
    set from ours for each batch and put back, so that a network's own draws are not moved.

    Source: Cubuk et al. 2020.
    """
    from torchvision.transforms import v2  # as heavy as all else that a small network needs

    if not (n_operations >= 1 and 0 <= magnitude <= _STRONGEST):
        raise StageError(
            f"operations is {n_operations} and magnitude {magnitude}, wanted 1 or more and 0 to {_STRONGEST}"
        )
    transform = v2.RandAugment(n_operations, magnitude)

    def operate(images: Tensor, rng: torch.Generator) -> Tensor:
        seed = int(torch.randint(2**62, (), generator=rng))
        # On the CPU, where its draws are; as 8-bit pictures, which its operations are defined for.
        pictures = images.round().to("cpu", torch.uint8).permute(0, 3, 1, 2).contiguous()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            made = torch.stack([transform(picture) for picture in pictures])
        return made.permute(0, 2, 3, 1).to(images.device)

    return operate


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
    # Places in 32 bits: half of what is written and read for each pixel.
    row = ((torch.arange(n)[:, None] * side + y) * side).int()
    source = (row[:, :, None] + x.int()[:, None, :]).flatten().to(images.device)
    return images.reshape(-1, 3).index_select(0, source).reshape(images.shape)


def _mirrored(position: Tensor, side: int) -> Tensor:
    inside = position.abs()
    return torch.where(inside > side - 1, 2 * (side - 1) - inside, inside)


def input_size(size_px: int, centre_crop: float) -> int:
    """Side in pixels of what the network sees of an image: 224 of 256 for a crop of 0.875."""
    return max(1, round(size_px * centre_crop))


def centre(images: Tensor, share: float) -> Tensor:
    """The middle of images [b, s, s, 3], `share` of their side."""
    side = images.shape[1]
    kept = input_size(side, share)
    if kept == side:
        return images
    start = (side - kept) // 2
    return images[:, start : start + kept, start : start + kept]


def crop_rotate_flip(
    images: Tensor,
    rng: torch.Generator,
    px: int = 0,
    interpolation: str = "bilinear",
    aspect: Tensor | None = None,
    seen: int | None = None,
) -> Tensor:
    """A random crop resized to the whole, rotated by up to 15 degrees and flipped, or not.

    The papers do these one after the other; here they are one affine map, so a pixel is interpolated
    once. What the rotation brings in from outside of the crop is black, as with theirs. `px`: side of the result, 0 for
    that of the images. `aspect` [n]: width over height of frames that were squeezed to these squares; crops are drawn
    as in the frame, so that their shape is squeezed too. Of the result only the middle `seen` pixels of each side are
    made; None: all.

    Source: Groh et al. 2021 (`train.py`), used again by skin-diff and FairDisCo.
    """
    n, side = len(images), px or images.shape[1]
    size, centre = _random_crops(n, rng, aspect)
    angle = (torch.rand(n, generator=rng) * 2 - 1) * math.radians(ROTATION_DEG)
    flip = torch.where(torch.rand(n, generator=rng) < 0.5, -1.0, 1.0)
    maps = _Maps(size, centre, angle, flip)
    seen = side if seen is None else seen
    turned = torch.empty(n, 3, seen, seen, device=images.device)
    # A few images at a time stay in the processor's cache, which makes it three times as fast.
    at_once = n if images.is_cuda else max(1, _CACHED_PIXELS // side**2)
    for start in range(0, n, at_once):
        part = slice(start, start + at_once)
        grid, inside = maps.of(part, side, seen, images.device)
        picture = functional.grid_sample(
            images[part].permute(0, 3, 1, 2).float(),
            grid,
            mode=interpolation,
            padding_mode="border",
            align_corners=False,
        )
        if interpolation == "bicubic":  # it overshoots at edges
            picture.clamp_(0, 255)
        torch.mul(picture, inside[:, None], out=turned[part])
    return turned.permute(0, 2, 3, 1)


@dataclass(frozen=True, slots=True)
class _Maps:
    """An affine map for each image: the crop's size and centre [n, 2], the angle and the flip [n], 1 or -1."""

    size: Tensor
    centre: Tensor
    angle: Tensor
    flip: Tensor

    def of(self, part: slice, side: int, seen: int, device: torch.device) -> tuple[Tensor, Tensor]:
        """Where each of the middle pixels comes from, [n, seen, seen, 2], and 1 where that is in the crop, else 0.

        From the result's coordinates, -1 to 1, to the crop's: undo the flip, then the rotation.
        """
        first = (side - seen) // 2
        along = ((torch.arange(side) + 0.5) * 2 / side - 1)[first : first + seen].to(device)
        cos, sin, flip = (
            v[part, None].to(device) for v in (self.angle.cos(), self.angle.sin(), self.flip)
        )
        size, centre = (v[part, None, None].to(device) for v in (self.size, self.centre))
        x = (flip * cos * along)[:, None, :] - (sin * along)[:, :, None]
        y = (flip * sin * along)[:, None, :] + (cos * along)[:, :, None]
        # Columns and rows lie one behind the other: sampling reads them so, and nothing is interleaved.
        grid = torch.empty(len(x), 2, seen, seen, device=device)
        torch.mul(x, size[..., 0], out=grid[:, 0])
        torch.mul(y, size[..., 1], out=grid[:, 1])
        grid.add_(centre.view(-1, 2, 1, 1))
        inside = torch.maximum(x.abs_(), y.abs_()).le_(1)
        return grid.permute(0, 2, 3, 1), inside


def _random_crops(
    n: int, rng: torch.Generator, frames: Tensor | None = None
) -> tuple[Tensor, Tensor]:
    """Size and centre, x and y each, [n, 2], of random crops in shares of the image (-1 to 1).

    `frames` [n]: width over height of each image; none: squares.
    """
    area = torch.empty(n, _CROP_TRIES).uniform_(*CROP_AREA, generator=rng)
    low, high = (math.log(aspect) for aspect in CROP_ASPECT)
    aspect = torch.empty(n, _CROP_TRIES).uniform_(low, high, generator=rng).exp()
    if frames is not None:
        aspect = aspect / frames[:, None]
    candidates = torch.stack([(area * aspect).sqrt(), (area / aspect).sqrt()], dim=2)
    fits = (candidates <= 1).all(dim=2)
    first = fits.int().argmax(dim=1)
    size = candidates[torch.arange(n), first]
    # Where no candidate fits, as torchvision: the largest middle part whose aspect is allowed, of a square all.
    whole = torch.ones_like(size)
    if frames is not None:
        low, high = CROP_ASPECT
        whole = torch.stack([(high / frames).clamp(max=1), (frames / low).clamp(max=1)], dim=1)
    found = fits.any(dim=1)[:, None]
    centre = (torch.rand(n, 2, generator=rng) * 2 - 1) * (1 - size)
    return torch.where(found, size, whole), torch.where(found, centre, torch.zeros_like(centre))
