"""The truth that a record was scored against, kept once per content: `truth/SHA256.csv`.

    partition,image_id,label,tone,unit      validation rows, then test rows, in the order of the partition

With it and the predictions every number of a record can be computed again, without images and without the
data set. `unit` numbers near-duplicate groups. It never enters a stage.
"""

import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from tonegap.errors import StoreError
from tonegap.files import digest_of
from tonegap.run.record import DataId
from tonegap.run.view import Rows, TaskView
from tonegap.score.arrays import IntArray

COLUMNS = ("partition", "image_id", "label", "tone", "unit")
PARTITIONS = ("validation", "test")
FIRST_TRUTHS = "truth/first"


@dataclass(frozen=True, slots=True)
class PartTruth:
    """What is known of the images of one partition, aligned: ids, labels, tones (None: unknown), units."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    tones: tuple[str | None, ...]
    units: tuple[int, ...]

    def y(self, classes: Iterable[str]) -> IntArray:
        """Class index of each image. Raises KeyError for a label that is none of the classes."""
        index = {name: i for i, name in enumerate(classes)}
        return np.array([index[label] for label in self.labels], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Truth:
    """Both partitions that predictions are made for."""

    validation: PartTruth
    test: PartTruth

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, validation first: the order in which predictions are read."""
        return (*self.validation.ids, *self.test.ids)


def truth_of(view: TaskView) -> Truth:
    """What the predictions of a task at a seed are held against."""
    known = {group: unit for unit, group in enumerate(dict.fromkeys(_groups(view)))}

    def part(rows: Rows) -> PartTruth:
        units = tuple(known[group] for group in rows.groups) or tuple(range(len(rows.ids)))
        return PartTruth(rows.ids, rows.labels, rows.tones, units)

    return Truth(part(view.validation), part(view.test))


def _groups(view: TaskView) -> tuple[int, ...]:
    return (*view.validation.groups, *view.test.groups)


def truth_place(task: str, seed: int, data: DataId) -> str:
    """The file below `truth/first/` that names the first truth which a store kept of a task at a seed.

    One for each set of images that its ids may name: those that the suite drew are told apart by content, as an id
    may be another picture once the drawing was changed.
    """
    drawing = data.images_sha256 if data.drawn and not data.stand_in else ""
    return digest_of([task, seed, data.stand_in, data.subset, drawing])


def encode_truth(truth: Truth) -> bytes:
    """The file's content; its SHA-256 is its name."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for name in PARTITIONS:
        part: PartTruth = getattr(truth, name)
        for row in zip(part.ids, part.labels, part.tones, part.units, strict=True):
            image_id, label, tone, unit = row
            writer.writerow((name, image_id, label, tone or "", unit))
    return out.getvalue().encode()


def decode_truth(content: bytes, sha256: str, where: str) -> Truth:
    """The truth in a file. Raises StoreError naming `where` unless the content has that digest."""
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise StoreError(
            f"{where}: found sha256 {found[:12]}…, wanted {sha256[:12]}…: it was changed"
        )
    rows = list(csv.DictReader(io.StringIO(content.decode())))
    return Truth(*(_part([row for row in rows if row["partition"] == name]) for name in PARTITIONS))


def _part(rows: list[dict[str, str]]) -> PartTruth:
    return PartTruth(
        ids=tuple(row["image_id"] for row in rows),
        labels=tuple(row["label"] for row in rows),
        tones=tuple(row["tone"] or None for row in rows),
        units=tuple(int(row["unit"]) for row in rows),
    )
