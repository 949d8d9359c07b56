"""The images of one task at one seed: partitions with labels, tones and content hashes.

Made once per task and split, shared by every entry. The mistake it exists to prevent: a stage's key that does not
change when what the stage sees does.
"""

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path

import msgspec

from tonegap.data.mask_file import MaskFile
from tonegap.files import sha256_lines
from tonegap.formats.record import DataId, Leaks
from tonegap.formats.truth import PartTruth, TaskTruth
from tonegap.split.leaks import split_lines
from tonegap.tones import GROUPS, MONK, MONK_GROUPS, TYPES


@dataclass(frozen=True)
class PartitionImages:
    """The images of one partition, aligned: ids, labels, tones, content hashes, files, masks, groups.

    `second_tones` are those of a second annotation, empty where there is none; no stage sees them.
    `masks` is empty where no image has one, else None for each image without. `groups` numbers what intervals
    resample together, across all partitions: near-duplicates, and images of one patient or lesion; empty: not known.
    """

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    tones: tuple[str | None, ...]
    sha256: tuple[str, ...]
    paths: tuple[Path, ...]
    masks: tuple[MaskFile | None, ...] = ()
    groups: tuple[int, ...] = ()
    second_tones: tuple[str | None, ...] = ()

    @cached_property
    def mask_sha256(self) -> tuple[str, ...]:
        """Digest of each mask and of how it is read, empty for none; read when it is first asked for.

        Of a mask that cannot be read (a dangling link, a folder) it says so: whoever is given it is refused.
        """
        pairs = zip(self.masks, self.sha256, strict=True) if self.masks else ()
        return tuple("" if mask is None else _mask_digest(mask, image) for mask, image in pairs)

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

    def told_digest(self, *, labels: bool = False, tones: bool = True) -> str:
        """Digest of ids with what is told of them: what a stage sees of rows whose images it does not get."""
        rows = zip(self.ids, self.labels, self.tones, strict=True)
        return sha256_lines(
            "\0".join((i, y if labels else "", (t or "") if tones else "")) for i, y, t in rows
        )

    def without(self, dropped: Container[str]) -> "PartitionImages":
        """The rows whose id is not among those dropped, in the same order."""
        kept = [i for i, image_id in enumerate(self.ids) if image_id not in dropped]
        columns = {f.name: getattr(self, f.name) for f in fields(self)}
        return PartitionImages(
            **{name: tuple(of[i] for i in kept) if of else () for name, of in columns.items()}
        )

    def n_by_tone(self) -> dict[str, int]:
        """Counts by tone in the order met from light to dark; `unknown` last."""
        return dict(sorted(Counter(tone or "unknown" for tone in self.tones).items()))


class WithheldCopy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The held-out image that another is a copy of, or is of one group with: by which rule, its id and partition.

    `of_group`: not a copy, but of the same patient or lesion.
    """

    rule: str
    image_id: str
    partition: str
    of_group: bool = False


@dataclass(frozen=True)
class TaskView:
    """One task at one split seed, as the engine holds it (labels of test images included).

    `copies` maps a training image to its copy, or another photograph of its patient, among the validation or test
    images; no method sees such an image, unless the task says that methods do. `n_without_tone`: images that the
    task leaves out because nobody knows their tone. `not_scored`: how many test
    images have a tone of which there are too few to score; they are in `test` without a tone. `unknown_listed`: lines
    on names of lists of images to leave out that are none of the data set's; `unused_lines`: on values that a split by
    value leaves unused.
    """

    task: str
    classes: tuple[str, ...]
    positive: tuple[str, ...]
    tones: tuple[str, ...]
    selection_metric: str
    published_selection: str
    primary_metric: str
    min_support: int
    data: DataId
    train: PartitionImages
    validation: PartitionImages
    test: PartitionImages
    leaks: Leaks
    copies: Mapping[str, WithheldCopy] = field(default_factory=dict)
    methods_see_duplicates: bool = False
    methods_see_groups: bool = False
    n_without_tone: int = 0
    not_scored: Mapping[str, int] = field(default_factory=dict)
    unknown_listed: tuple[str, ...] = ()
    unused_lines: tuple[str, ...] = ()

    @cached_property
    def method_train(self) -> PartitionImages:
        """The training images that a method sees: all but those with a copy, or a patient, that is held out."""
        withheld = {i for i, copy in self.copies.items() if not self._is_shown(copy)}
        return self.train.without(withheld) if withheld else self.train

    @cached_property
    def unlabelled(self) -> PartitionImages:
        """Every image of the partitions by id, without label and tone: what a frozen network sees."""
        of = self.partitions.values()
        rows = sorted(r for p in of for r in zip(p.ids, p.sha256, p.paths, strict=True))
        ids, sha256, paths = zip(*rows, strict=True)
        return PartitionImages(ids, ("",) * len(ids), (None,) * len(ids), sha256, paths)

    @property
    def lines(self) -> list[str]:
        """What a person should know of the split before a number."""
        sizes = {name: len(rows.ids) for name, rows in self.partitions.items()}
        n_none = sum(rows.tones.count(None) for rows in self.partitions.values())
        n_kept = n_none - sum(self.not_scored.values())
        lines = split_lines(sizes, n_kept, self.n_without_tone, self.leaks.groups)
        exclusions = (exclusion.text for exclusion in self.data.exclusions)
        missing = filter(None, [self.data.missing_text])
        return [*exclusions, *missing, *self.unknown_listed, *self.unused_lines, *lines]

    def n_copies(self, *, shown: bool) -> dict[str, int]:
        """How many training images with a held-out copy, or of a held-out patient, methods see or not, by rule."""
        rules = [copy.rule for copy in self.copies.values() if self._is_shown(copy) == shown]
        return dict(sorted(Counter(rules).items()))

    def _is_shown(self, copy: WithheldCopy) -> bool:
        return self.methods_see_groups if copy.of_group else self.methods_see_duplicates

    @property
    def nothing_shown(self) -> str:
        """Why no method sees a training image, where none does, and what to do."""
        rules = ", ".join(f"{rule} {n}" for rule, n in self.n_copies(shown=False).items())
        return (
            f"all {len(self.train.ids):,} training images are copies of held-out ones or of their patients ({rules}); "
            "split by group, or let methods see them ([leaks] in the task)"
        )

    @cached_property
    def method_ids(self) -> frozenset[str]:
        """The ids of the training images that a method sees."""
        return frozenset(self.method_train.ids)

    @cached_property
    def held_out(self) -> dict[str, str]:
        """The partition of every test and validation image."""
        names = ("validation", "test")
        return {image_id: name for name in names for image_id in self.partitions[name].ids}

    @property
    def has_masks(self) -> bool:
        """Whether any training image has a lesion mask."""
        return bool(self.train.masks)

    @cached_property
    def axis_tones(self) -> tuple[str, ...]:
        """Every tone of the scale that images are annotated on.

        Training may hold others than the scored ones, and a task may score groups of types.
        """
        named = {tone for rows in self.partitions.values() for tone in rows.tones}.union(self.tones)
        return next(
            (kind for kind in (TYPES, MONK, GROUPS, MONK_GROUPS) if named & set(kind)), GROUPS
        )

    @property
    def partitions(self) -> dict[str, PartitionImages]:
        """The three partitions by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def truth_of(view: TaskView) -> TaskTruth:
    """What the predictions of a task at a seed are held against."""
    groups = (*view.validation.groups, *view.test.groups)
    known = {group: unit for unit, group in enumerate(dict.fromkeys(groups))}

    def part(rows: PartitionImages) -> PartTruth:
        units = tuple(known[group] for group in rows.groups) or tuple(range(len(rows.ids)))
        return PartTruth(rows.ids, rows.labels, rows.tones, units, rows.second_tones)

    return TaskTruth(part(view.validation), part(view.test))


def _mask_digest(mask: MaskFile, picture_sha256: str) -> str:
    try:
        return mask.digest(picture_sha256)
    except OSError as e:
        return f"unreadable: {e.strerror}"
