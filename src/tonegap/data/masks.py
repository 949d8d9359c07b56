"""Finds lesion masks beside the images or below the root by the data set's patterns, counts and checks them."""

import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from tonegap.data.decode import BadPicture
from tonegap.data.image_names import expanded, image_names, name_key
from tonegap.data.index import ImageIndex
from tonegap.data.mask_file import KINDS, MaskFile, read_kinds
from tonegap.data.metadata import Metadata
from tonegap.declared.dataset import Dataset, mask_level

Masked = tuple[MaskFile, Path]  # a mask and its picture
_READERS = 4  # decoding releases the interpreter's lock


@dataclass(frozen=True, slots=True)
class MaskCheck:
    """Masks of the usable images: how many there are, how many show each kind, what is wrong with the others.

    `wanted`: the names of the first image's mask.
    """

    n_masks: int
    n_showing: Mapping[str, int]
    problems: Mapping[str, str]
    wanted: tuple[str, ...]


def find_masks(
    dataset: Dataset, metadata: Metadata, index: ImageIndex, data_root: Path
) -> Mapping[str, MaskFile]:
    """The mask of every usable image that has one: relative to the image's folder, else to the root."""
    found: dict[str, MaskFile] = {}
    for part in metadata.parts:
        own = {i: index.paths[i] for i in part.metadata.ids if i in index.paths}
        found |= find_masks(part.dataset, part.metadata, replace(index, paths=own), part.data_root)
    if metadata.parts or not dataset.file.masks:
        return found
    masks = expanded(dataset.file.masks, dataset, metadata)
    images = image_names(dataset, metadata)
    kinds = dataset.file.mask_values.items()
    pairs = ((mask_level(value), KINDS.index(kind)) for kind, of in kinds for value in of)
    meaning, folders = tuple(sorted(pairs)), _Folders()
    for image_id, path in index.paths.items():
        bases = dict.fromkeys((_image_folder(path, images[image_id]), data_root.resolve()))
        places = (base / name for base in bases for name in masks[image_id])
        there = next(filter(None, map(folders.entry, places)), None)
        if there is not None:
            found[image_id] = MaskFile(there, meaning, dataset.file.mask_stretched)
    return found


def check_masks(
    dataset: Dataset, metadata: Metadata, index: ImageIndex, masks: Mapping[str, MaskFile]
) -> MaskCheck | None:
    """What a run would say of the masks; None where the data set declares none. Opens every mask."""
    if not dataset.file.masks:
        return None
    n_showing = dict.fromkeys(KINDS, 0)
    problems = {}
    looked_at = _looked_at([(mask, index.paths[image_id]) for image_id, mask in masks.items()])
    for image_id, (kinds, problem) in zip(masks, looked_at, strict=True):
        for kind in kinds:
            n_showing[kind] += 1
        if problem:
            problems[image_id] = problem
    names = expanded(dataset.file.masks, dataset, metadata)
    return MaskCheck(len(masks), n_showing, problems, tuple(next(iter(names.values()), ())))


def unusable_masks(pairs: Sequence[Masked]) -> dict[Masked, str]:
    """What is wrong with each mask beside its picture that a run would refuse. Opens every one."""
    looked_at = zip(pairs, _looked_at(pairs), strict=True)
    return {pair: problem for pair, (_kinds, problem) in looked_at if problem}


def _looked_at(pairs: Sequence[Masked]) -> Iterator[tuple[tuple[str, ...], str]]:
    """(kinds that it shows, what is wrong) of every mask."""

    def look(pair: Masked) -> tuple[tuple[str, ...], str]:
        try:
            return tuple(KINDS[kind] for kind in np.unique(read_kinds(*pair))), ""
        except BadPicture as e:
            return (), e.text

    with ThreadPoolExecutor(_READERS) as pool:
        yield from pool.map(look, pairs)


def _image_folder(path: Path, names: list[str]) -> Path:
    """The folder that an image's name is relative to: a name may have folders of its own."""
    key = name_key(path.as_posix())
    for name in names:
        if key.endswith(f"/{name_key(name)}"):
            return path.parents[name.count("/")]
    return path.parent


@dataclass(slots=True)
class _Folders:
    """The entries of folders, each listed once: names match whatever their suffix's case and form of Unicode."""

    listed: dict[Path, tuple[frozenset[str], dict[str, str]]] = field(default_factory=dict)

    def entry(self, place: Path) -> Path | None:
        """The file at a place, under its very name or one alike. What cannot be opened counts: its reader hears why."""
        if place.parent not in self.listed:
            self.listed[place.parent] = _names(place.parent)
        exact, alike = self.listed[place.parent]
        if place.name in exact:
            return place
        name = alike.get(name_key(place.name))
        return None if name is None else place.with_name(name)


def _names(folder: Path) -> tuple[frozenset[str], dict[str, str]]:
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208 - thousands of names, no Paths
    except OSError:
        return frozenset(), {}
    return frozenset(names), {name_key(name): name for name in names}
