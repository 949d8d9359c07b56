"""The truth that a record was scored against, kept once per content: `truth/SHA256.csv`.

    partition,image_id,label,tone,unit      validation rows, then test rows, in the order of the partition

and a column `second_tone` where a second annotation of tones is declared.

With it and the predictions every number of a record can be computed again, without images and without the
data set. `unit` numbers near-duplicate groups. It never enters a stage.
"""

import csv
import hashlib
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass

from tonegap.arrays import IntArray, class_indices
from tonegap.errors import StoreError
from tonegap.files import csv_bytes, digest_of
from tonegap.formats.record import DataId
from tonegap.tones import TONES

COLUMNS = ("partition", "image_id", "label", "tone", "unit")
WITH_SECOND = (*COLUMNS, "second_tone")
PARTITIONS = ("validation", "test")
MAX_IMAGES = 1_000_000
_UNIT = re.compile(r"[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class PartTruth:
    """What is known of the images of one partition, aligned: ids, labels, tones (None: unknown), units.

    `second_tones`: those of a second annotation; empty where there is none.
    """

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    tones: tuple[str | None, ...]
    units: tuple[int, ...]
    second_tones: tuple[str | None, ...] = ()

    def y(self, classes: Iterable[str]) -> IntArray:
        """Class index of each image. Raises KeyError for a label that is none of the classes."""
        return class_indices(self.labels, classes)


@dataclass(frozen=True, slots=True)
class TaskTruth:
    """Both partitions that predictions are made for."""

    validation: PartTruth
    test: PartTruth

    @property
    def ids(self) -> tuple[str, ...]:
        """All ids, validation first: the order in which predictions are read."""
        return (*self.validation.ids, *self.test.ids)


def truth_place(task: str, seed: int, data: DataId) -> str:
    """The file below `truth/first/` that names the first truth which a store kept of a task at a seed.

    One for each set of images that its ids may name: the suite's own phantoms are distinguished by content, as an id
    may be another picture once the phantom's code was changed.
    """
    drawing = data.images_sha256 if data.drawn and not data.stand_in else ""
    lists = [exclusion.sha256 for exclusion in data.exclusions]
    return digest_of([task, seed, data.stand_in, data.subset, drawing, *([lists] if lists else [])])


def encode_truth(truth: TaskTruth) -> bytes:
    """The file's content; its SHA-256 is its name."""
    parts: dict[str, PartTruth] = {name: getattr(truth, name) for name in PARTITIONS}
    twice = any(part.second_tones for part in parts.values())
    columns = WITH_SECOND if twice else COLUMNS
    rows = (
        (name, image_id, label, tone or "", unit, other or "")[: len(columns)]
        for name, part in parts.items()
        for image_id, label, tone, unit, other in zip(
            part.ids,
            part.labels,
            part.tones,
            part.units,
            part.second_tones or (None,) * len(part.ids),
            strict=True,
        )
    )
    return csv_bytes(columns, rows)


def decode_truth(content: bytes, sha256: str, where: str) -> TaskTruth:
    """The truth in a file.

    Raises StoreError naming `where` unless the content has that digest and every row is one of a truth: a
    partition, an id that stands once, a label, a tone or nothing, the number of a unit.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise StoreError(
            f"{where}: found sha256 {found[:12]}…, wanted {sha256[:12]}…: it was changed"
        )
    try:
        rows = csv.reader(io.StringIO(content.decode(), newline=""), strict=True)
        header = next(rows, None)
        if header not in (list(COLUMNS), list(WITH_SECOND)):
            raise ValueError(f"line 1: wanted {','.join(COLUMNS)}")
        return _decoded(rows, len(header))
    except (ValueError, csv.Error) as e:
        raise StoreError(f"{where}: not a truth: {e}") from None


_Row = tuple[str, str, str | None, int, str | None]


def _decoded(rows: Iterable[list[str]], n_columns: int) -> TaskTruth:
    """The rows by partition. Raises ValueError naming the first row that is none."""
    parts: dict[str, list[_Row]] = {name: [] for name in PARTITIONS}
    seen: set[str] = set()
    kept: dict[str, str] = {}  # one text for a label or tone that stands in many rows
    for number, row in enumerate(rows, start=2):
        if len(row) != n_columns:
            raise ValueError(f"line {number}: {len(row)} fields, wanted {n_columns}")
        name, image_id, label, tone, unit, second = (*row, "")[: len(WITH_SECOND)]
        if name not in parts or not image_id or not label or image_id in seen:
            raise ValueError(f"line {number}: wanted a partition, an id that stands once, a label")
        for text in (tone, second):
            if text and text not in TONES:
                raise ValueError(f"line {number}: {text[:20]!a} is no tone")
        if not _UNIT.fullmatch(unit) or number > MAX_IMAGES:
            raise ValueError(
                f"line {number}: wanted the number of a unit, in {MAX_IMAGES:,} lines at most"
            )
        seen.add(image_id)
        label, tone, second = (kept.setdefault(text, text) for text in (label, tone, second))
        parts[name].append((image_id, label, tone or None, int(unit), second or None))
    twice = n_columns == len(WITH_SECOND)
    return TaskTruth(*(_part(parts[name], twice=twice) for name in PARTITIONS))


def _part(rows: list[_Row], *, twice: bool) -> PartTruth:
    ids, labels, tones, units, second = tuple(zip(*rows, strict=True)) or ((), (), (), (), ())
    return PartTruth(ids, labels, tones, units, second if twice else ())
