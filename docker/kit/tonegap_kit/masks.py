"""Lesion masks of the training images, and the two things that are done to a mask's edge.

A mask names each pixel's kind; the mistake this module prevents is an unmarked image taken for one
without a lesion: where nobody drew a mask, every pixel is BACKGROUND.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError

BACKGROUND, LESION, MARKER, RULER, SKIN = range(5)
NOT_HEALED = "training images passed over: their mask has no lesion, or no skin beside it"

Mask = NDArray[np.bool_]


def read_masks(stage: Stage) -> NDArray[np.uint8] | None:
    """Masks `uint8 [n, size, size]` of 0 to 4, row i for training image i; None where there are none.

    They stay on disk until they are looked at. Raises StageError if they do not fit the job or the
    training images.
    """
    path = stage.inputs / "train_masks.npy"
    if not path.exists():
        return None
    try:
        masks: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
        images = np.load(stage.inputs / "train.npy", mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise StageError(f"{path}: cannot be read as an array: {problem}") from None
    wanted = (len(images), stage.job.size_px, stage.job.size_px)
    if masks.shape != wanted or masks.dtype != np.uint8:
        raise StageError(
            f"{path}: holds {masks.dtype} {list(masks.shape)}, wanted uint8 {list(wanted)}: one mask "
            "for each training image"
        )
    if masks.size and masks.max() > SKIN:
        raise StageError(f"{path}: holds the value {masks.max()}, wanted {BACKGROUND} to {SKIN}")
    return masks


def need_masks(stage: Stage) -> NDArray[np.uint8]:
    """The masks, for a method that cannot do without. Raises StageError where there are none."""
    masks = read_masks(stage)
    if masks is None:
        raise StageError(
            f"{stage.inputs / 'train_masks.npy'}: there is no such file; this method needs a data set "
            "with lesion masks"
        )
    return masks


def is_kind(mask: NDArray[np.uint8], *kinds: int) -> Mask:
    """Where a mask has one of these kinds."""
    return np.isin(mask, kinds)


def dilated(mask: Mask, side: int, times: int = 1) -> Mask:
    """A mask [h, w] grown by a square of `side` pixels (an odd number), as often as told."""
    if side < 1 or side % 2 == 0 or times < 0:
        raise StageError(f"dilation by {side} px, {times} times: wanted an odd side of 1 or more")
    grown = Image.fromarray(mask.astype(np.uint8) * 255)
    for _ in range(times):
        grown = grown.filter(ImageFilter.MaxFilter(side))
    return np.asarray(grown) > 127


def blurred(mask: Mask, sigma: float) -> NDArray[np.float32]:
    """A mask [h, w] as shares 0 to 1 with an edge that is soft over about `sigma` pixels each way."""
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    soft = picture.filter(ImageFilter.GaussianBlur(sigma)) if sigma > 0 else picture
    shares: NDArray[np.float32] = np.asarray(soft, np.float32) / np.float32(255)
    return shares


def lesion_holes(masks: NDArray[np.uint8], side_px: int) -> NDArray[np.bool_]:
    """What has to go for healthy skin, [n, h, w]: lesion and marker, grown by a square of `side_px`."""
    return np.stack([dilated(is_kind(mask, LESION, MARKER), side_px) for mask in masks])


def can_be_healed(masks: NDArray[np.uint8], holes: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Rows of images that have a lesion, and skin beside the hole to go by."""
    lesion = (masks == LESION).any(axis=(1, 2))
    skin = ((masks == SKIN) & ~holes).any(axis=(1, 2))
    return np.flatnonzero(lesion & skin)
