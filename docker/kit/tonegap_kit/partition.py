"""The images of a stage with what is known of them: a manifest and the `.npy` file beside it.

The mistake it exists to prevent: row i of one belonging to row i + 1 of the other.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.job import Job

Codes = NDArray[np.int64]
UNKNOWN = -1  # index of a tone or label that is not told


@dataclass(frozen=True, slots=True)
class Pictures:
    """Images `uint8 [n, size, size, 3]` that stay on disk, from one file or several in a row.

    `chosen` are the rows of them that count, in order; None for all. `aspect` [n stored]: width over height of the
    frame that each was squeezed from; None where they are no squeezed frames.
    """

    parts: tuple[NDArray[np.uint8], ...]
    chosen: NDArray[np.int64] | None = None
    aspect: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return self.n_stored if self.chosen is None else len(self.chosen)

    @property
    def n_stored(self) -> int:
        """How many images the files hold, chosen or not."""
        return sum(len(part) for part in self.parts)

    def aspects(self, rows: NDArray[np.int64]) -> NDArray[np.float32] | None:
        """Width over height of the frames of these rows, None where they are no squeezed frames."""
        if self.aspect is None:
            return None
        return self.aspect[rows if self.chosen is None else self.chosen[rows]]

    def take(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """A copy of the images of these rows, in this order."""
        if self.chosen is not None:
            rows = self.chosen[rows]
        if len(self.parts) == 1:
            return np.asarray(self.parts[0][rows])
        taken = np.empty((len(rows), *self.parts[0].shape[1:]), dtype=np.uint8)
        start = 0
        for part in self.parts:
            here = (rows >= start) & (rows < start + len(part))
            taken[here] = part[rows[here] - start]
            start += len(part)
        return taken


@dataclass(frozen=True, slots=True)
class ToldRows:
    """The rows of a partition without their images: ids, class index `y` and tone index `t` [n], or UNKNOWN.

    `placed` [n]: the row of each in the feature bank, None where the manifest names none. `aspect` [n]: width over
    height of the frame that each image was squeezed from, None likewise.
    """

    ids: tuple[str, ...]
    y: NDArray[np.int64]
    t: NDArray[np.int64]
    placed: NDArray[np.int64] | None = None
    aspect: NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Partition:
    """Images with ids; `y` is the class index and `t` the tone index of each, or UNKNOWN."""

    ids: tuple[str, ...]
    y: NDArray[np.int64]
    t: NDArray[np.int64]
    pictures: Pictures

    def __len__(self) -> int:
        return len(self.ids)


def read_partition(stage: Stage, name: str) -> Partition:
    """The partition `name` (`train`, `validation`, `test`, `synthetic`) of a stage's input.

    Raises StageError if a file is missing, damaged, or they do not fit each other or the job.
    """
    told = read_manifest(stage, name)
    images = _read_images(stage.inputs / f"{name}.npy", len(told.ids), stage.job)
    if stage.job.geometry == "frame" and told.aspect is None:
        raise StageError(f"{stage.inputs / name}.csv: no column aspect, wanted one of frames")
    return Partition(told.ids, told.y, told.t, Pictures((images,), aspect=told.aspect))


def read_manifest(stage: Stage, name: str) -> ToldRows:
    """What `NAME.csv` tells of a partition. Raises StageError if it is missing, damaged or does not fit the job."""
    job, path = stage.job, stage.inputs / f"{name}.csv"
    rows = _read_rows(path)
    classes = {label: i for i, label in enumerate(job.classes)}
    tones = {tone: i for i, tone in enumerate(job.tones)} | {"": UNKNOWN}
    # Only the test partition may come without labels: a typing error elsewhere must not pass.
    has_labels = name != "test"
    has_tones = has_labels or "tone" in rows[0]
    y = _codes(path, rows, "label", classes) if has_labels else _unknown(len(rows))
    t = _codes(path, rows, "tone", tones) if has_tones else _unknown(len(rows))
    placed = None
    if "row" in rows[0]:
        digits = [row["row"] for row in rows]
        if not all(map(str.isdecimal, digits)):
            raise StageError(
                f"{path}: a row of the feature bank is no whole number, wanted one of each image"
            )
        placed = np.array(digits, dtype=np.int64)
    ids = tuple(row["image_id"] for row in rows)
    return ToldRows(ids, y, t, placed, _aspects(path, rows) if "aspect" in rows[0] else None)


def _aspects(path: Path, rows: Sequence[Mapping[str, str]]) -> NDArray[np.float32]:
    try:
        found = np.array([float(row["aspect"]) for row in rows], np.float32)
    except (TypeError, ValueError):
        found = np.zeros(1, np.float32)
    if not (np.isfinite(found).all() and (found > 0).all()):
        raise StageError(f"{path}: an aspect is no number above 0, wanted width over height")
    return found


def has_partition(stage: Stage, name: str) -> bool:
    """Whether a stage was given this partition: `synthetic` is absent where a method made nothing."""
    return (stage.inputs / f"{name}.csv").exists()


def join(one: Partition, other: Partition) -> Partition:
    """The rows of one partition, then those of the other."""
    return Partition(
        ids=one.ids + other.ids,
        y=np.concatenate([one.y, other.y]),
        t=np.concatenate([one.t, other.t]),
        pictures=_in_a_row(one.pictures, other.pictures),
    )


def _in_a_row(one: Pictures, other: Pictures) -> Pictures:
    parts = one.parts + other.parts
    aspect = None
    if one.aspect is not None and other.aspect is not None:
        aspect = np.concatenate([one.aspect, other.aspect])
    if one.chosen is None and other.chosen is None:
        return Pictures(parts, aspect=aspect)
    first, second = (
        np.arange(each.n_stored) if each.chosen is None else each.chosen for each in (one, other)
    )
    return Pictures(parts, np.concatenate([first, one.n_stored + second]), aspect)


def pick(partition: Partition, rows: NDArray[np.int64]) -> Partition:
    """These rows of a partition, in this order; their images stay where they are."""
    pictures = partition.pictures
    chosen = rows if pictures.chosen is None else pictures.chosen[rows]
    return Partition(
        ids=tuple(partition.ids[i] for i in rows),
        y=partition.y[rows],
        t=partition.t[rows],
        pictures=Pictures(pictures.parts, chosen, pictures.aspect),
    )


def _read_rows(path: Path) -> list[dict[str, str]]:
    try:
        with path.open(encoding="utf-8", newline="") as f:
            rows = list(csv.DictReader(f))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise StageError(f"{path}: cannot be read: {problem}") from None
    if not rows or "image_id" not in rows[0]:
        raise StageError(f"{path}: no rows with an image_id, wanted one row per image")
    return rows


def _codes(
    path: Path, rows: Sequence[Mapping[str, str]], column: str, known: Mapping[str, int]
) -> NDArray[np.int64]:
    found = np.empty(len(rows), dtype=np.int64)
    for i, row in enumerate(rows):
        value = row.get(column)
        if value is None or value not in known:
            wanted = ", ".join(repr(name) for name in list(known)[:8])
            raise StageError(f"{path}: row {i + 1}: {column} is {value!r}, wanted one of {wanted}")
        found[i] = known[value]
    return found


def _unknown(n: int) -> NDArray[np.int64]:
    return np.full(n, UNKNOWN, dtype=np.int64)


def _read_images(path: Path, n: int, job: Job) -> NDArray[np.uint8]:
    try:
        images: NDArray[np.uint8] = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as problem:
        raise StageError(f"{path}: cannot be read as an array: {problem}") from None
    wanted = (n, job.size_px, job.size_px, 3)
    if images.shape != wanted or images.dtype != np.uint8:
        raise StageError(
            f"{path}: holds {images.dtype} {list(images.shape)}, wanted uint8 {list(wanted)}: "
            f"one {job.size_px} px image for each row of {path.stem}.csv"
        )
    return images
