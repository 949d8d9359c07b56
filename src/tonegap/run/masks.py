"""Lesion masks beside the images: found by the data set's patterns, hashed where a method asks for them."""

from collections.abc import Mapping
from pathlib import Path

import msgspec

from tonegap.data.index import ImageIndex
from tonegap.data.locate import image_names
from tonegap.data.metadata import Metadata
from tonegap.rooms.dataset import Dataset


def mask_paths(dataset: Dataset, metadata: Metadata, index: ImageIndex) -> Mapping[str, Path]:
    """The mask file of every usable image that has one; patterns are relative to the image folder."""
    if not dataset.file.masks:
        return {}
    patterns = msgspec.structs.replace(dataset.file, file_names=dataset.file.masks)
    masks = image_names(Dataset(dataset.id, dataset.folder, patterns), metadata)
    images = image_names(dataset, metadata)
    found = {}
    for image_id, path in index.paths.items():
        folder = _image_folder(path, images[image_id])
        places = (folder / name for name in masks[image_id])
        mask = next((place for place in places if place.is_file()), None)
        if mask is not None:
            found[image_id] = mask
    return found


def _image_folder(path: Path, names: list[str]) -> Path:
    """The folder that an image's name is relative to: a name may have folders of its own."""
    for name in names:
        if path.as_posix().endswith(f"/{name}"):
            return path.parents[name.count("/")]
    return path.parent
