"""Finds the file of each image in a download: names expanded from the metadata, matched with the disk.

A download may keep its images in any one folder below the root, or in those that `image_folders` declares. The
mistakes it exists to prevent: a missing photograph replaced by the mask or thumbnail that has its name, and a file
that is one of two and was taken in silence.
"""

import os
import re
from collections import ChainMap, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

from tonegap.data.image_names import Names, image_names
from tonegap.data.metadata import STAND_IN, Metadata
from tonegap.declared.dataset import Dataset
from tonegap.errors import BadData, file_errors

# What files of the accepted formats (`tonegap.data.decode`) are called.
IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".bmp", ".dib", ".gif", ".tif", ".tiff"),
    *(".webp", ".avif", ".avifs", ".jp2", ".j2k", ".jpc", ".jpf", ".jpx", ".j2c"),
    *(".ppm", ".pgm", ".pbm", ".pnm", ".pfm"),
)
_MASKS = re.compile(
    r"(.*[ _-])?(masks?|segmentations?|ground[ _-]?truths?|annotations?)([ _-].*)?", re.IGNORECASE
)
_RIVAL = 0.5  # of the fullest folder's images, and of a folder's own: so many have both


class Stamp(NamedTuple):
    """What a file looked like without opening it; the same stamp is taken for the same content."""

    size: int
    mtime_ns: int


_UNKNOWN_STAMP = Stamp(-1, -1)  # of an entry that cannot be looked at: whoever opens it hears why


@dataclass(frozen=True, slots=True)
class Located:
    """Where the images are; `folder` is None where no folder holds any, the root where several are declared.

    `elsewhere`: ids found only in another folder, and that folder; `also`: ids that another folder has too.
    `ambiguous`: ids of which there are two files, and which. `extra`: image files beside the found ones (all
    of the root, where none is found) that no row names. `hidden`: ids whose file is there and is not read, because
    its name begins with a dot.
    """

    folder: Path | None
    paths: Mapping[str, Path]
    stamps: Mapping[str, Stamp]
    elsewhere: Mapping[str, Path]
    extra: tuple[Path, ...]
    also: Mapping[str, Path] = field(default_factory=dict)
    ambiguous: Mapping[str, str] = field(default_factory=dict)
    hidden: Mapping[str, Path] = field(default_factory=dict)


class _Hit(NamedTuple):
    """A file that may be an image: the rank of its name, its path below the root, another of the same rank."""

    rank: int
    path: str
    stamp: Stamp
    other: str = ""


# Paths are text below the root in here: a download has tens of thousands, and `Path` is slow.
_Hits = dict[str, dict[str, _Hit]]  # folder -> image id -> its best hit in that folder


def locate_images(dataset: Dataset, metadata: Metadata, data_root: Path) -> Located:
    """The file of every image that is there; paths are absolute, links of the root resolved.

    Raises BadData for a name that leads out of its folder, for a root that cannot be read, for declared folders
    without an image, and for phantom images that lie where real ones are expected.
    """
    if metadata.parts:
        parts = [locate_images(p.dataset, p.metadata, p.data_root) for p in metadata.parts]
        return _all_of(parts, data_root.resolve())
    root = data_root.resolve()
    names_of = image_names(dataset, metadata)
    names = Names(names_of)
    # Folders of declared masks are no places of images: masks often have the names of the images.
    masks = {pattern.split("/")[0] for pattern in dataset.file.masks if "/" in pattern}
    files = list(_files(root, frozenset(masks)))
    hits = _all_hits(files, names)
    declared = dataset.file.image_folders
    chosen = _declared(hits, declared, data_root) if declared else _fullest(hits)
    if not chosen:
        images = (root / path for path, _ in files if path.lower().endswith(IMAGE_SUFFIXES))
        hidden = _hidden(root, names_of, {"", *hits})
        return Located(None, {}, {}, _elsewhere(root, hits, {}), tuple(images), hidden=hidden)
    for folder in chosen:
        _refuse_hidden_stand_in(root / folder, root, metadata)
    found, ambiguous = _joined(hits, chosen)
    return Located(
        folder=root if declared else root / chosen[0],
        paths={image_id: root / hit.path for image_id, hit in found.items()},
        stamps={image_id: hit.stamp for image_id, hit in found.items()},
        elsewhere=_elsewhere(root, hits, {**found, **ambiguous}),
        extra=_extra(root, files, found, names),
        also=_also(root, hits, chosen, found),
        ambiguous=ambiguous,
        hidden=_hidden(root, {i: names_of[i] for i in names_of if i not in found}, {"", *hits}),
    )


def _all_of(parts: Sequence[Located], root: Path) -> Located:
    """What was located of several data sets, whose ids differ."""
    return Located(
        folder=root if any(part.folder for part in parts) else None,
        paths=dict(ChainMap(*(dict(part.paths) for part in parts))),
        stamps=dict(ChainMap(*(dict(part.stamps) for part in parts))),
        elsewhere=dict(ChainMap(*(dict(part.elsewhere) for part in parts))),
        extra=tuple(path for part in parts for path in part.extra),
        also=dict(ChainMap(*(dict(part.also) for part in parts))),
        ambiguous=dict(ChainMap(*(dict(part.ambiguous) for part in parts))),
        hidden=dict(ChainMap(*(dict(part.hidden) for part in parts))),
    )


def _hidden(
    root: Path, names_of: Mapping[str, Iterable[str]], folders: Collection[str]
) -> dict[str, Path]:
    """The file of each image that has a hidden name and is there under it, in the root or where images are."""
    dotted = {i: [n for n in names if "/." in f"/{n}"] for i, names in names_of.items()}
    places = ((i, root / f / n) for i, names in dotted.items() for n in names for f in folders)
    return {i: place for i, place in places if place.is_file()}


def _all_hits(files: Iterable[tuple[str, Stamp]], names: Names) -> _Hits:
    hits: _Hits = defaultdict(dict)
    for path, stamp in files:
        for depth in names.depths:
            folder, name = _cut(path, depth)
            for image_id, rank in names.owners(name):
                there = hits[folder].get(image_id)
                if there is None or rank < there.rank:
                    hits[folder][image_id] = _Hit(rank, path, stamp)
                elif rank == there.rank and path != there.path:
                    hits[folder][image_id] = there._replace(other=path)
    return hits


def _declared(hits: _Hits, patterns: Collection[str], data_root: Path) -> list[str]:
    """The folders that patterns such as "imgs_part_*" name. Raises BadData where none of them holds an image."""
    found = sorted(f for f in hits if any(fnmatchcase(f or ".", p.strip("/")) for p in patterns))
    if hits and not found:
        there = ", ".join(repr(folder or ".") for folder in sorted(hits)[:3])
        raise BadData(
            f"{data_root}: image_folders declares {', '.join(map(repr, patterns))}; images of the data "
            f"set lie in {there}"
        )
    return found


def _fullest(hits: _Hits) -> list[str]:
    """The folder with most images, but never masks; of two that have the same ones, the outer or the larger."""
    left = {f: ids for f, ids in hits.items() if not _holds_masks(f)}
    if not left:
        return []
    best = max(left, key=lambda f: (len(left[f]), -f.count("/"), f == "", f))
    tried = {best}
    while rival := next(
        (f for f in sorted(left) if f not in tried and _beats(left, f, best)), None
    ):
        best = rival
        tried.add(best)
    return [best]


def _holds_masks(folder: str) -> bool:
    return any(_MASKS.fullmatch(part) for part in folder.split("/"))


def _beats(hits: _Hits, folder: str, best: str) -> bool:
    """Whether a folder has so many of the other's images that it is the one with the photographs themselves."""
    mine, others = hits[folder], hits[best]
    shared = [i for i in mine if i in others and mine[i].path != others[i].path]
    if len(mine) < _RIVAL * len(others) or len(shared) < _RIVAL * len(mine):
        return False
    if not folder or best.startswith(f"{folder}/"):
        return True
    if not best or folder.startswith(f"{best}/"):
        return False
    return sum(mine[i].stamp.size for i in shared) > sum(others[i].stamp.size for i in shared)


def _joined(hits: _Hits, chosen: Iterable[str]) -> tuple[dict[str, _Hit], dict[str, str]]:
    """The hit of each image in the chosen folders, and the two files of each image that has two."""
    found: dict[str, _Hit] = {}
    ambiguous: dict[str, str] = {}
    for folder in chosen:
        for image_id, hit in hits[folder].items():
            there = found.get(image_id)
            other = hit.other or (there.path if there and there.path != hit.path else "")
            if other:
                ambiguous[image_id] = " and ".join(sorted((hit.path, other)))
            if there is None or hit.rank < there.rank:
                found[image_id] = hit
    return {i: hit for i, hit in found.items() if i not in ambiguous}, ambiguous


def _cut(path: str, depth: int) -> tuple[str, str]:
    """(folder, name with `depth` folders of its own) of a path below the root."""
    parts = path.rsplit("/", depth + 1)
    return (parts[0], "/".join(parts[1:])) if len(parts) > depth + 1 else ("", path)


def _elsewhere(root: Path, hits: _Hits, found: Mapping[str, object]) -> dict[str, Path]:
    """Images that only folders hold which are not taken, with the fullest such folder; masks left out."""
    emptiest_first = sorted((f for f in hits if not _holds_masks(f)), key=lambda f: len(hits[f]))
    return {i: root / f for f in emptiest_first for i in hits[f] if i not in found}


def _also(
    root: Path, hits: _Hits, chosen: Collection[str], found: Mapping[str, _Hit]
) -> dict[str, Path]:
    """Images that a folder which was not taken has too, masks left out."""
    others = sorted(f for f in hits if f not in chosen and not _holds_masks(f))
    return {
        i: root / f
        for f in others
        for i, hit in hits[f].items()
        if i in found and found[i].path != hit.path
    }


def _extra(
    root: Path, files: Iterable[tuple[str, Stamp]], found: Mapping[str, _Hit], names: Names
) -> tuple[Path, ...]:
    """Image files in the folders of the found ones that have no image's name."""
    beside = {_cut(hit.path, 0)[0] for hit in found.values()}
    return tuple(
        root / path
        for path, _ in sorted(files)
        if _cut(path, 0)[0] in beside
        and path.lower().endswith(IMAGE_SUFFIXES)
        and not any(names.owners(_cut(path, depth)[1]) for depth in names.depths)
    )


def _files(root: Path, skipped: frozenset[str]) -> Iterator[tuple[str, Stamp]]:
    """Path below the root and stamp of every file, without hidden and `skipped` names.

    A folder that is reached twice (a loop of links) is read once.
    """
    waiting, seen = [""], set()
    while waiting:
        folder = waiting.pop()
        with file_errors(BadData, f"{root / folder}: cannot be read"):
            status = (root / folder).stat()
            entries = sorted(os.scandir(root / folder), key=lambda e: e.name)
        if (status.st_dev, status.st_ino) in seen:
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            path = f"{folder}/{entry.name}" if folder else entry.name
            if entry.name.startswith(".") or entry.name in skipped:
                continue
            try:
                if entry.is_dir():
                    waiting.append(path)
                elif entry.is_file():
                    found = entry.stat()
                    yield path, Stamp(found.st_size, found.st_mtime_ns)
            except OSError:  # a link to itself, a stale handle
                yield path, _UNKNOWN_STAMP


def _refuse_hidden_stand_in(folder: Path, data_root: Path, metadata: Metadata) -> None:
    """Phantom images must say so: a marker on the way to them counts as much as one in the root."""
    if metadata.stand_in:
        return
    for parent in (folder, *folder.parents):
        if (parent / STAND_IN).exists():
            raise BadData(
                f"{parent}: holds phantom stand-ins, but {metadata.path} is read as real metadata; "
                f"use --root {parent} for the stand-ins or move them away"
            )
        if parent == data_root:
            return
