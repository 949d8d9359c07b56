"""Reads what one task and seed has: a data set, its partition at the seed, and the rows of each part.

What the person asked for is handed over as values; no plan and no store is known here.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from tonegap.data.index import ImageIndex, index_images
from tonegap.data.mask_file import MaskFile
from tonegap.data.masks import find_masks
from tonegap.data.metadata import Metadata, read_metadata, shown_id
from tonegap.declared.dataset import Dataset
from tonegap.declared.task import Task, tested_data_sets
from tonegap.errors import BadData
from tonegap.formats.record import DataId, Leaks
from tonegap.scores.rules import ScoringRules
from tonegap.split.grouped import components
from tonegap.split.id_lists import (
    IdList,
    ListedImages,
    listed_images,
    unknown_names,
    without_listed,
)
from tonegap.split.leaks import crossing_groups, group_leaks, leaked_by_tone
from tonegap.split.partition import partition
from tonegap.split.parts import PARTITIONS, SplitAssignment
from tonegap.split.published import unused_lines, unused_values
from tonegap.split.rows import axis_tones, second_tones
from tonegap.split.scorable import check_scorable, check_support
from tonegap.split.subset import subsample
from tonegap.split.view import PartitionImages, TaskView


@dataclass(frozen=True, slots=True)
class LoadedData:
    """A data set with its metadata, its image index and the lesion masks of its images.

    `units` numbers what intervals resample together: near-duplicates, and images of one patient or lesion.
    """

    dataset: Dataset
    metadata: Metadata
    index: ImageIndex
    masks: Mapping[str, MaskFile]
    units: Mapping[str, int]
    excluded: tuple[ListedImages, ...] = ()


def load_data(
    dataset: Dataset,
    data_root: Path,
    cache_dir: Path,
    workers: int,
    excluded: tuple[IdList, ...] = (),
) -> LoadedData:
    """A data set's metadata and images in a download, or in a folder that was drawn; and what is left out of it."""
    metadata = read_metadata(dataset, data_root)
    index = index_images(dataset, metadata, data_root, cache_dir, workers)
    masks = find_masks(dataset, metadata, index, data_root)
    listed = listed_images(excluded, dataset, metadata)
    return LoadedData(dataset, metadata, index, masks, _units(metadata, index), listed)


def _units(metadata: Metadata, index: ImageIndex) -> Mapping[str, int]:
    if not metadata.groups:
        return index.groups
    rows = [i for i, image_id in enumerate(metadata.ids) if image_id in index.groups]
    ids = [metadata.ids[i] for i in rows]
    columns = {name: [cells[i] for i in rows] for name, cells in metadata.groups.items()}
    near = [str(index.groups[image_id]) for image_id in ids]
    return dict(zip(ids, components({"": near, **columns}, len(ids)), strict=True))


def task_view(
    task: Task, seed: int, data: LoadedData, *, subset: int | None, allow_missing: bool
) -> TaskView:
    """What one task at one seed puts before the stages, subsampled where one is asked for.

    Raises BadSplit where the partition is not the pinned one, or the images that are there leave a scored tone without
    support; BadData where images it needs are missing or unreadable.
    """
    whole, exclusions = without_listed(partition(task, data.metadata, seed), data.excluded)
    made = subsample(whole, subset, f"{task.id}:{task.pin_key(seed)}")
    second = second_tones(task, data.dataset, data.metadata)
    train, validation, test = (_rows(made, name, data, second) for name in PARTITIONS[:3])
    used = [pair for pair in zip(made.ids, made.parts, strict=True) if pair[1] != "unused"]
    lost = [(image_id, part) for image_id, part in used if image_id not in data.index.sha256]
    missing = dict(sorted(Counter(part for _, part in lost).items()))
    if lost and not (allow_missing and train.ids and validation.ids and test.ids):
        counts = ", ".join(f"{n} {part}" for part, n in missing.items())
        raise BadData(
            f"{data.metadata.path.parent}: {len(lost)} images that {task.id} needs are missing or "
            f"unreadable ({counts}; first: {', '.join(shown_id(i) for i, _ in lost[:3])}); see `tonegap data check "
            f"{data.dataset.id} --root DIR`, or pass --allow-missing to run without them, as long as no "
            "partition is empty"
        )
    where = f"{data.metadata.path.parent}: {task.at(seed)}"
    rules = ScoringRules(
        made.classes, made.positive, None, task.file.scores.min_support, task.scored_tones
    )
    check_scorable(where, rules, task.file.selection.metric, validation, test)
    if made is whole:  # of a subset some scores are undefined, and its results say so
        without = f" without its {len(lost):,} missing images" if lost else ""
        check_support(f"{where}{without}", rules, task.file.scores.primary, test)
    tone_of = dict(zip(made.ids, axis_tones(task, data.metadata), strict=True))
    n_of_tone = Counter(tone_of[image_id] for image_id in test.ids)
    joined = tuple(part.dataset.id for part in data.metadata.parts)
    return TaskView(
        task=task.id,
        classes=made.classes,
        positive=made.positive,
        tones=task.scored_tones,
        selection_metric=task.file.selection.metric,
        published_selection=task.file.selection.published,
        primary_metric=task.file.scores.primary,
        min_support=task.file.scores.min_support,
        data=DataId(
            data_set=data.dataset.id,
            metadata_sha256=data.metadata.sha256,
            images_sha256=data.index.digest,
            stand_in=data.metadata.stand_in,
            drawn=data.dataset.file.drawn is not None,
            missing=missing,
            subset=None if made is whole else subset,
            exclusions=exclusions,
            joined=joined,
            tested=tested_data_sets(task.file.split, joined),
        ),
        train=train,
        validation=validation,
        test=test,
        leaks=_leaks(made, data),
        methods_see_duplicates=task.file.leaks.methods_see_duplicates,
        methods_see_groups=task.file.leaks.methods_see_groups,
        n_without_tone=sum(i in data.index.sha256 for i in made.without_tone),
        not_scored={tone: n_of_tone[tone] for tone in task.file.tones.not_scored},
        unknown_listed=tuple(unknown_names(data.excluded)),
        unused_lines=tuple(unused_lines(task, unused_values(task, data.metadata))),
    )


def _leaks(made: SplitAssignment, data: LoadedData) -> Leaks:
    """What crosses from training or validation into test: near-duplicates, and declared groups."""
    crossing = crossing_groups(made, data.index.groups)
    by_tone = {tone or "unknown": n for tone, n in leaked_by_tone(made, crossing).items()}
    there = (
        p if i in data.index.sha256 else "unused" for i, p in zip(made.ids, made.parts, strict=True)
    )
    crossed = group_leaks(data.metadata, replace(made, parts=tuple(there)))
    return Leaks(len(crossing), sum(by_tone.values()), dict(sorted(by_tone.items())), crossed)


def _rows(
    made: SplitAssignment, part: str, data: LoadedData, second: Mapping[str, str | None]
) -> PartitionImages:
    """The rows of one partition whose image is there, in file order; masks for training, second tones for others."""
    index = data.index
    here = [
        i
        for i, image_id in enumerate(made.ids)
        if made.parts[i] == part and image_id in index.sha256
    ]
    ids = tuple(made.ids[i] for i in here)
    masks = tuple(data.masks.get(image_id) for image_id in ids) if part == "train" else ()
    return PartitionImages(
        ids=ids,
        labels=tuple(made.labels[i] or "" for i in here),
        tones=tuple(made.tones[i] for i in here),
        sha256=tuple(index.sha256[image_id] for image_id in ids),
        paths=tuple(index.paths[image_id] for image_id in ids),
        masks=masks if any(masks) else (),
        groups=tuple(data.units[image_id] for image_id in ids),
        second_tones=tuple(second[i] for i in ids) if second and part != "train" else (),
    )
