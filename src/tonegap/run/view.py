"""What one task and seed put before the stages: partitions with labels, tones and content hashes.

Made once per task and split, shared by every entry. The mistake it exists to prevent: a stage's key that does not
change when what the stage sees does.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tonegap.files import sha256_file, sha256_lines
from tonegap.run.record import DataId, Leaks
from tonegap.tones import GROUPS, TYPES


@dataclass(frozen=True)
class Rows:
    """The images of one partition, aligned: ids, labels, tones, content hashes, files, masks.

    `masks` is empty where no image has one, else None for each image without.
    """

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    tones: tuple[str | None, ...]
    sha256: tuple[str, ...]
    paths: tuple[Path, ...]
    masks: tuple[Path | None, ...] = ()

    @cached_property
    def mask_sha256(self) -> tuple[str, ...]:
        """Content hash of each mask, empty for none; read when it is first asked for."""
        return tuple("" if path is None else sha256_file(path) for path in self.masks)

    @cached_property
    def labelled_digest(self) -> str:
        """Digest of all that training may see of these rows."""
        rows = zip(self.ids, self.labels, self.tones, self.sha256, strict=True)
        return sha256_lines("\0".join((i, y, t or "", h)) for i, y, t, h in rows)

    @cached_property
    def image_digest(self) -> str:
        """Digest of ids and images alone: what a stage sees of test rows."""
        return sha256_lines("\0".join(row) for row in zip(self.ids, self.sha256, strict=True))

    @cached_property
    def toned_digest(self) -> str:
        """Digest of ids, images and tones: test rows where the tone is given at test time."""
        rows = zip(self.ids, self.tones, self.sha256, strict=True)
        return sha256_lines("\0".join((i, t or "", h)) for i, t, h in rows)

    def n_by_tone(self) -> dict[str, int]:
        """Counts by tone in the order met from light to dark; `unknown` last."""
        counts: dict[str, int] = {}
        for tone in self.tones:
            counts[tone or "unknown"] = counts.get(tone or "unknown", 0) + 1
        return dict(sorted(counts.items()))


@dataclass(frozen=True)
class TaskView:
    """One task at one split seed, as the engine holds it (labels of test images included)."""

    task: str
    split_seed: int
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    tones: tuple[str, ...]
    selection_metric: str
    published_selection: str
    primary_metric: str
    min_support: int
    data: DataId
    train: Rows
    validation: Rows
    test: Rows
    leaks: Leaks

    @property
    def has_masks(self) -> bool:
        """Whether any training image has a lesion mask."""
        return bool(self.train.masks)

    @cached_property
    def axis_tones(self) -> tuple[str, ...]:
        """Every tone of the scale that images are annotated on.

        Training may hold others than the scored ones, and a task may score groups of types.
        """
        named = {tone for rows in self.partitions.values() for tone in rows.tones}
        return TYPES if named.union(self.tones).intersection(TYPES) else GROUPS

    @property
    def partitions(self) -> dict[str, Rows]:
        """The three partitions by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}
