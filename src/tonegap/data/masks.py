"""Lesion masks beside the images: found by the data set's patterns, read as values 0 to 4.

The mistakes it exists to prevent: a palette whose order swaps lesion and skin, and a mask of another picture that is
stretched over this one.
"""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tonegap.data.decode import (
    UNSUPPORTED,
    BadPicture,
    decode_indices,
    read_bytes,
    upright_size,
)
from tonegap.data.index import ImageIndex
from tonegap.data.metadata import Metadata
from tonegap.data.names import image_names, name_key
from tonegap.rooms.dataset import Dataset

_MAX_VALUE = 4  # background, lesion, marker, ruler, skin
_LESION, _WHITE = 1, 255
_READERS = 4  # decoding releases the interpreter's lock


def mask_paths(dataset: Dataset, metadata: Metadata, index: ImageIndex) -> Mapping[str, Path]:
    """The mask file of every usable image that has one; patterns are relative to the image folder."""
    if not dataset.file.masks:
        return {}
    patterns = msgspec.structs.replace(dataset.file, file_names=dataset.file.masks)
    masks = image_names(Dataset(dataset.id, dataset.folder, patterns), metadata)
    images = image_names(dataset, metadata)
    found = {}
    for image_id, path in index.paths.items():
        folder = str(_image_folder(path, images[image_id]))
        places = (f"{folder}/{name}" for name in masks[image_id])
        # What cannot be looked at (a link to itself) is a mask all the same: whoever opens it hears why.
        mask = next((place for place in places if os.path.lexists(place)), None)
        if mask is not None:
            found[image_id] = Path(mask)
    return found


def _image_folder(path: Path, names: list[str]) -> Path:
    """The folder that an image's name is relative to: a name may have folders of its own."""
    key = name_key(path.as_posix())
    for name in names:
        if key.endswith(f"/{name_key(name)}"):
            return path.parents[name.count("/")]
    return path.parent


def read_mask_file(path: Path, picture: Path | None) -> NDArray[np.uint8]:
    """Values 0 to 4 `[h, w]` of a mask: greys 0 to 4, 1 bit, or black and white (lesion), a palette by its greys.

    Raises BadPicture for anything else, and for one whose sides are not in the proportion of its `picture`.
    """
    indices = decode_indices(read_bytes(path))
    values = _values(indices)
    if picture is not None:
        _check_shape(indices.size, upright_size(read_bytes(picture)))
    return values


def mask_problems(masks: Mapping[str, Path], index: ImageIndex) -> Iterator[tuple[str, str]]:
    """(image id, what is wrong) for every mask that a run would refuse."""

    def problem(image_id: str) -> str:
        try:
            read_mask_file(masks[image_id], index.paths[image_id])
        except BadPicture as e:
            return e.text
        return ""

    with ThreadPoolExecutor(_READERS) as pool:
        for image_id, text in zip(masks, pool.map(problem, masks), strict=True):
            if text:
                yield image_id, text


def _values(indices: Image.Image) -> NDArray[np.uint8]:
    if indices.mode == "P":
        # Pixels by colour: what a viewer shows, whatever the order of the palette.
        colours = np.asarray(indices.convert("RGB"))
        if (colours != colours[:, :, :1]).any():
            text = "a palette of colours; which of them is the lesion? Save it as greys 0 to 4"
            raise BadPicture(UNSUPPORTED, text)
        values = np.ascontiguousarray(colours[:, :, 0])
    else:
        values = np.asarray(indices).astype(np.uint8)
    found = np.unique(values)
    if found[-1] <= _MAX_VALUE:
        return values
    if set(found.tolist()) <= {0, _WHITE}:
        return np.where(values == _WHITE, np.uint8(_LESION), np.uint8(0))
    odd = next(int(v) for v in found if v > _MAX_VALUE)
    raise BadPicture(
        UNSUPPORTED, f"found the value {odd} in a mask, wanted 0 to {_MAX_VALUE}, or 0 and {_WHITE}"
    )


def _check_shape(mask: tuple[int, int], picture: tuple[int, int]) -> None:
    """One pixel of rounding is what a smaller or larger copy of a mask may be off."""
    (width, height), (wide, high) = mask, picture
    if abs(width - height * wide / high) > 1 and abs(height - width * high / wide) > 1:
        raise BadPicture(
            UNSUPPORTED,
            f"{width} × {height} pixels, not in the proportion of its image ({wide} × {high} when upright)",
        )
