"""Which file of a download is which image: names expanded from the metadata, met with the disk.

A download may keep its images in any one folder below the root; where several folders hold some, the
one with most is taken and the others are named, never mixed in silence.
"""

import os
from collections import defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tonegap.data.metadata import STAND_IN, Metadata
from tonegap.errors import BadData
from tonegap.rooms.dataset import PLACEHOLDER, Dataset

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".tif", ".tiff", ".webp")


class Stamp(NamedTuple):
    """What a file looked like without opening it; the same stamp is taken for the same content."""

    size: int
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class Located:
    """Where the images are. `elsewhere`: ids found only in another folder, and that folder.

    `extra`: image files beside the found ones that no row names. `folder` is None where no folder
    holds any image.
    """

    folder: Path | None
    paths: Mapping[str, Path]
    stamps: Mapping[str, Stamp]
    elsewhere: Mapping[str, Path]
    extra: tuple[Path, ...]


class _Hit(NamedTuple):
    """A file that may be an image: the rank of its name's pattern, its path below the root."""

    rank: int
    path: str
    stamp: Stamp


# Paths are text below the root in here: a download has tens of thousands, and `Path` is slow.
_Hits = dict[str, dict[str, _Hit]]  # folder -> image id -> its best hit in that folder


def locate_images(dataset: Dataset, metadata: Metadata, data_root: Path) -> Located:
    """The file of every image that is there; paths are absolute, links of the root resolved.

    Raises BadData for a name that leads out of its folder, for a root that cannot be read, and for
    drawn images that lie where real ones are expected.
    """
    root = data_root.resolve()
    owners = _owners(image_names(dataset, metadata))
    depths = sorted({name.count("/") for name in owners}) or [0]
    hits: _Hits = defaultdict(dict)
    files = list(_files(root, _mask_folders(dataset)))
    for path, stamp in files:
        for depth in depths:
            folder, name = _cut(path, depth)
            for image_id, rank in owners.get(name, ()):
                there = hits[folder].get(image_id)
                if there is None or rank < there.rank:
                    hits[folder][image_id] = _Hit(rank, path, stamp)
    if not hits:
        return Located(None, {}, {}, {}, ())
    best = max(hits, key=lambda f: (len(hits[f]), -f.count("/"), f == "", f))
    _refuse_hidden_stand_in(root / best, root, metadata)
    found = hits[best]
    return Located(
        root / best,
        {image_id: root / hit.path for image_id, hit in found.items()},
        {image_id: hit.stamp for image_id, hit in found.items()},
        _elsewhere(root, hits, best),
        _extra(root, files, found, owners, depths),
    )


def _cut(path: str, depth: int) -> tuple[str, str]:
    """(folder, name with `depth` folders of its own) of a path below the root."""
    parts = path.rsplit("/", depth + 1)
    return (parts[0], "/".join(parts[1:])) if len(parts) > depth + 1 else ("", path)


def _elsewhere(root: Path, hits: _Hits, best: str) -> dict[str, Path]:
    """Images that only another folder has, with the fullest such folder."""
    emptiest_first = sorted((f for f in hits if f != best), key=lambda f: len(hits[f]))
    return {i: root / f for f in emptiest_first for i in hits[f] if i not in hits[best]}


def _extra(
    root: Path,
    files: Iterable[tuple[str, Stamp]],
    found: Mapping[str, _Hit],
    owners: Container[str],
    depths: Iterable[int],
) -> tuple[Path, ...]:
    """Image files in the folders of the found ones that have no image's name."""
    beside = {_cut(hit.path, 0)[0] for hit in found.values()}
    return tuple(
        root / path
        for path, _ in sorted(files)
        if _cut(path, 0)[0] in beside
        and path.lower().endswith(IMAGE_SUFFIXES)
        and not any(_cut(path, depth)[1] in owners for depth in depths)
    )


def image_names(dataset: Dataset, metadata: Metadata) -> dict[str, list[str]]:
    """File names that each image may have, best first, with `/` where a name has folders.

    A pattern over a column that is absent, or empty for the image, gives no name.
    """
    names: dict[str, list[str]] = {image_id: [] for image_id in metadata.ids}
    for pattern in dataset.file.file_names:
        columns = PLACEHOLDER.findall(pattern)
        if not all(column in metadata.columns for column in columns):
            continue
        template = PLACEHOLDER.sub("\0", pattern).split("\0")
        cells = [metadata.columns[column] for column in columns]
        for i, image_id in enumerate(metadata.ids):
            values = [column[i] for column in cells]
            if all(values):
                name = template[0] + "".join(
                    v + t for v, t in zip(values, template[1:], strict=True)
                )
                names[image_id].append(_safe(name, image_id, metadata.path))
    return names


def _safe(name: str, image_id: str, where: Path) -> str:
    """The name, if it stays inside the image folder."""
    parts = name.split("/")
    if "\0" in name or not {"", ".", ".."}.isdisjoint(parts):
        raise BadData(
            f"{where}: image {image_id} has the file name {name!r}; "
            "wanted a name inside the image folder"
        )
    return name


def _owners(names: Mapping[str, list[str]]) -> dict[str, list[tuple[str, int]]]:
    """File name -> the images that it may be, each with the rank of the name."""
    owners: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for image_id, candidates in names.items():
        for rank, name in enumerate(candidates):
            owners[name].append((image_id, rank))
    return dict(owners)


def _mask_folders(dataset: Dataset) -> frozenset[str]:
    """Names of folders that hold masks: those often have the names of the images."""
    return frozenset(pattern.split("/")[0] for pattern in dataset.file.masks if "/" in pattern)


def _files(root: Path, skipped: frozenset[str]) -> Iterator[tuple[str, Stamp]]:
    """Path below the root and stamp of every file, without hidden and `skipped` names.

    A folder that is reached twice (a loop of links) is read once.
    """
    waiting, seen = [""], set()
    while waiting:
        folder = waiting.pop()
        try:
            status = (root / folder).stat()
            entries = sorted(os.scandir(root / folder), key=lambda e: e.name)
        except OSError as e:
            raise BadData(f"{root / folder}: cannot be read: {e.strerror}") from None
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith(".") or entry.name in skipped:
                continue
            if entry.is_dir():
                waiting.append(path)
            elif entry.is_file():
                found = entry.stat()
                yield path, Stamp(found.st_size, found.st_mtime_ns)


def _refuse_hidden_stand_in(folder: Path, data_root: Path, metadata: Metadata) -> None:
    """Drawn images must say so: a marker on the way to them counts as much as one in the root."""
    if metadata.stand_in:
        return
    for parent in (folder, *folder.parents):
        if (parent / STAND_IN).exists():
            raise BadData(
                f"{parent}: holds drawn stand-ins, but {metadata.path} is read as real metadata; "
                f"use --root {parent} for the stand-ins or move them away"
            )
        if parent == data_root:
            return
