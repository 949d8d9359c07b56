"""Makes the partition of every image from a task, a metadata file and a seed, and checks it against its pin.

The mistake it exists to prevent: another release of a library, or another copy of a metadata file,
that quietly makes another split, so that two numbers in one table come from different test sets.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from tonegap.data.metadata import Metadata
from tonegap.declared.split_rules import (
    GroupedHoldout,
    GroupedKFold,
    GroupedValidationHoldOut,
    PinnedList,
    PublishedValidation,
    ValidationHoldOut,
)
from tonegap.declared.task import Task
from tonegap.errors import BadSplit
from tonegap.split.grouped import held_out
from tonegap.split.parts import PARTITIONS, SplitAssignment
from tonegap.split.pins import check_ids, check_pin, pin_name, pinned_parts
from tonegap.split.published import published_parts
from tonegap.split.rows import SelectedRows, axis_tones, positive_classes, rows_of
from tonegap.split.validation import hold_out

__all__ = ("PARTITIONS", "SplitAssignment", "new_partition", "partition", "unchecked_partition")


def partition(task: Task, metadata: Metadata, seed: int) -> SplitAssignment:
    """The partition of every row for a seed, as pinned; a task without any pin is taken as it comes.

    Raises BadSplit for a seed that has no pin while others have, for a metadata file with other
    ids than the pinned ones, and for images that moved, naming the first three.
    """
    pins, key = task.file.pins, task.pin_key(seed)
    if pins and key not in pins:
        raise BadSplit(
            f"{task.path}: no pin for {pin_name(task, key)}; pinned are {', '.join(pins)}; take one "
            f"of them, or add a pin with `tonegap split {task.id} --seed {seed} --pin`"
        )
    if not pins:
        return unchecked_partition(task, metadata, seed)
    check_ids(task, metadata, seed)
    made = unchecked_partition(task, metadata, seed)
    check_pin(task, metadata, made, seed)
    return made


def new_partition(
    task: Task, metadata: Metadata, seed: int, listed: Mapping[str, str] | None = None
) -> SplitAssignment:
    """The partition of a seed that is to be pinned; `listed` is a published list, image id -> partition.

    Raises BadSplit as `partition` does for the first pin that is there: who cannot remake an old
    pin must not add a new one. Also for a list with validation images where the task holds out its own.
    """
    n = list((listed or {}).values()).count("validation")
    if n and not isinstance(task.file.validation, PublishedValidation):
        raise BadSplit(
            f"{task.path}: the list puts {n:,} of its images into validation, and the task's validation rule would "
            'hold others out of training; say `rule = "published"` in [validation] to keep these, or call them train'
        )
    for key in list(task.file.pins)[:1]:
        partition(task, metadata, int(key) if task.seeded else seed)
    return unchecked_partition(task, metadata, seed, listed)


def unchecked_partition(
    task: Task, metadata: Metadata, seed: int, listed: Mapping[str, str] | None = None
) -> SplitAssignment:
    """What the task's rules give for a seed, whatever is pinned; a split by list without one is that of its pin.

    Raises BadSplit if a rule cannot be applied or leaves training, validation or test set empty.
    """
    rows = rows_of(task, metadata)
    rule = task.file.validation
    if isinstance(task.file.split, PinnedList) and (listed or task.file.pins):
        listed = listed or pinned_parts(task, metadata, seed)
        parts = [listed.get(image_id, "unused") for image_id in rows.ids]
        if not isinstance(
            rule, PublishedValidation
        ):  # whoever holds out anew trains on what a list validates on
            parts = ["train" if part == "validation" else part for part in parts]
    else:
        parts = published_parts(task.file.split, rows, seed)
    if not isinstance(rule, PublishedValidation):
        parts = _with_validation(rule, rows, parts, f"{task.id}:{task.pin_key(seed)}")
    made = _spread(task, rows, parts)
    for part, n in made.sizes.items():
        if n == 0 and part != "unused":
            raise BadSplit(
                f"{metadata.path}: {task.at(seed)} has no {part} image; {len(rows.index)} of "
                f"{len(metadata.ids)} rows have one of its classes and a tone that it takes{_of_groups(task, rows)}"
            )
    return made


def _of_groups(task: Task, rows: SelectedRows) -> str:
    """What whole groups have to do with an empty partition: how many there are, and how large."""
    grouped = (task.file.split, task.file.validation)
    columns = [
        r.columns
        for r in grouped
        if isinstance(r, GroupedHoldout | GroupedKFold | GroupedValidationHoldOut)
    ]
    if not columns:
        return ""
    sizes = Counter(rows.groups(columns[0])).values()
    return (
        f", in {len(sizes):,} groups of {min(sizes):,} to {max(sizes):,} images that are kept whole: ask for a larger "
        "share, fewer folds or no strata"
        if sizes
        else ""
    )


def _with_validation(
    rule: ValidationHoldOut | GroupedValidationHoldOut,
    rows: SelectedRows,
    parts: Sequence[str],
    key: str,
) -> list[str]:
    """The parts with some of `train` turned into `validation`."""
    training = [i for i, part in enumerate(parts) if part == "train"]
    every, all_ids = rows.strata(rule.strata), rows.ids
    ids, strata = [all_ids[i] for i in training], [every[i] for i in training]
    if isinstance(rule, ValidationHoldOut):
        kept = hold_out(ids, strata, rule.fraction, key)
    else:
        groups = rows.groups(rule.columns)
        own = [groups[i] for i in training]
        kept = frozenset(ids[i] for i in held_out(own, ids, strata, rule.fraction, key))
    return ["validation" if i in kept else p for i, p in zip(all_ids, parts, strict=True)]


def _spread(task: Task, rows: SelectedRows, parts: Sequence[str]) -> SplitAssignment:
    """The parts of the rows that take part, over all rows of the metadata."""
    metadata = rows.metadata
    all_parts = ["unused"] * len(metadata.ids)
    labels: list[str | None] = [None] * len(metadata.ids)
    for i, part, name in zip(rows.index, parts, rows.classes, strict=True):
        if part != "unused":
            all_parts[i], labels[i] = part, name
    hidden = task.file.tones.not_scored  # a test image of such a tone counts in no tone
    tones = zip(axis_tones(task, metadata), all_parts, strict=True)
    classes = task.classes or tuple(sorted({name for name in labels if name is not None}))
    return SplitAssignment(
        ids=metadata.ids,
        parts=tuple(all_parts),
        labels=tuple(labels),
        tones=tuple(None if t in hidden and part == "test" else t for t, part in tones),
        classes=classes,
        positive=positive_classes(task, rows, classes),
        without_tone=rows.without_tone,
    )
