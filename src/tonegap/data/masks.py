"""Lesion masks beside the images: found by the data set's patterns, and checked."""

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tonegap.data.decode import BadPicture, read_mask_file
from tonegap.data.index import ImageIndex
from tonegap.data.metadata import Metadata
from tonegap.data.names import image_names, name_key
from tonegap.declared.dataset import Dataset

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
