"""Indexes the images of a data root: where each is, the hash of its content, and its near-duplicates.

Everything later (leak checks, bootstrap groups, content keys of stages) rests on this one pass over
the files, and a second pass over unchanged files costs under a second.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tonegap.caches import kept_or_made
from tonegap.closure import code_digest
from tonegap.data.locate import Located, locate_images
from tonegap.data.metadata import Metadata
from tonegap.data.near_duplicates import duplicate_groups
from tonegap.data.picture import PictureFacts
from tonegap.data.picture_cache import looking_digest, read_full, read_pictures
from tonegap.declared.dataset import Dataset
from tonegap.errors import StoreError, file_errors
from tonegap.files import digest_of, sha256_bytes, sha256_lines, write_atomic

MISSING = "missing"
AMBIGUOUS = "two files of its name"
HIDDEN = "hidden by the dot in front of its name"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why an image cannot be used. `kind` is one of the above or of `tonegap.data.decode`."""

    image_id: str
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class ImageIndex:
    """The usable images by id, and why the others are not.

    `groups`: number of an image's near-duplicate group (alone, a group of its own). `digest` covers
    ids and content hashes of the usable images, whatever their order and folder. `notes`: what was done to the
    pixels of some that a person should know.
    """

    paths: Mapping[str, Path]
    sha256: Mapping[str, str]
    groups: Mapping[str, int]
    problems: tuple[Problem, ...]
    digest: str
    notes: Mapping[str, str] = field(default_factory=dict)


def index_images(
    dataset: Dataset,
    metadata: Metadata,
    data_root: Path,
    cache_dir: Path,
    workers: int,
    located: Located | None = None,
) -> ImageIndex:
    """The index of a data root's images; `located` where they have been located already.

    Raises BadData where the root cannot be read, StoreError where the cache cannot be written.
    """
    located = located or locate_images(dataset, metadata, data_root)
    of_id, kept, light = _looked_at(dataset, metadata, located, cache_dir, workers)
    good, digest = _usable(of_id)
    # Named by all that decides the groups: contents, rule and thresholds.
    decides = digest_of([code_digest("tonegap.data.index"), digest])
    place = cache_dir / f"duplicates-{decides[:24]}.parquet"
    groups = kept_or_made(
        lambda: _load_groups(place, good),
        lambda: _make_groups(located, good, kept, light),
        lambda made: _save_groups(place, made),
        pa.ArrowException,
    )
    return ImageIndex(
        paths={i: located.paths[i] for i in good},
        sha256={i: picture.sha256 for i, picture in good.items()},
        groups=groups,
        problems=tuple(p for i in metadata.ids for p in _problems(i, of_id.get(i), located)),
        notes={i: picture.note for i, picture in good.items() if picture.note},
        digest=digest,
    )


def images_digest(
    dataset: Dataset, metadata: Metadata, located: Located, cache_dir: Path, workers: int
) -> str:
    """The `digest` that `index_images` would give, without near-duplicates. Raises what that raises."""
    return _usable(_looked_at(dataset, metadata, located, cache_dir, workers)[0])[1]


def _looked_at(
    dataset: Dataset, metadata: Metadata, located: Located, cache_dir: Path, workers: int
) -> tuple[dict[str, PictureFacts], Path, bool]:
    """What is known of each image that is there, the file that keeps it, and whether all was known."""
    there = [i for i in metadata.ids if i in located.paths]
    stamps = {str(located.paths[i]): located.stamps[i] for i in there}
    where = sha256_bytes(str(located.folder).encode())
    kept = cache_dir / f"images-{looking_digest()[:12]}-{dataset.id}-{where[:12]}.parquet"
    pictures, light = read_pictures(stamps, kept, workers) if stamps else ({}, True)
    return {i: pictures[str(located.paths[i])] for i in there}, kept, light


def _usable(of_id: Mapping[str, PictureFacts]) -> tuple[dict[str, PictureFacts], str]:
    """The images that can be used, sorted by id, and the digest over ids and contents."""
    good = {i: picture for i, picture in sorted(of_id.items()) if not picture.problem}
    return good, sha256_lines(f"{i} {picture.sha256}" for i, picture in good.items())


def _problems(image_id: str, picture: PictureFacts | None, located: Located) -> list[Problem]:
    if image_id in located.ambiguous:
        return [Problem(image_id, AMBIGUOUS, located.ambiguous[image_id])]
    if image_id in located.hidden:
        return [Problem(image_id, HIDDEN, f"{located.hidden[image_id].name}: rename it")]
    if picture is None:
        return [Problem(image_id, MISSING, "no file of any of its names")]
    return [Problem(image_id, picture.problem, picture.text)] if picture.problem else []


def _make_groups(
    located: Located, good: Mapping[str, PictureFacts], kept: Path, light: bool
) -> dict[str, int]:
    """Groups numbered from 0 in the order of their first id."""
    pictures: list[PictureFacts] = list(good.values())
    if light and good:
        paths = [str(located.paths[i]) for i in good]
        full = read_full(paths, kept)
        pictures = [full[path] for path in paths]
    numbers: dict[int, int] = {}
    first = duplicate_groups(pictures)
    return {i: numbers.setdefault(f, len(numbers)) for i, f in zip(good, first, strict=True)}


def _load_groups(path: Path, good: Collection[str]) -> dict[str, int] | None:
    table = pq.ParquetFile(path).read()  # `read_table` imports pandas
    groups = dict(zip(table["image_id"].to_pylist(), table["group"].to_pylist(), strict=True))
    return groups if groups.keys() == set(good) else None


def _save_groups(path: Path, groups: Mapping[str, int]) -> None:
    buffer = BytesIO()
    table = pa.table({"image_id": list(groups), "group": pa.array(groups.values(), pa.int64())})
    pq.write_table(table, buffer)
    with file_errors(StoreError, f"{path}: duplicate groups cannot be written"):
        write_atomic(path, buffer.getvalue())
