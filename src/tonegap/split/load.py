"""Reads what one task and seed has: a data set, its partition at the seed, and the rows of each part.

What the person asked for is handed over as values; no plan and no store is known here.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tonegap.data.index import ImageIndex, index_images
from tonegap.data.mask_file import MaskFile
from tonegap.data.masks import find_masks
from tonegap.data.metadata import Metadata, read_metadata
from tonegap.declared.dataset import Dataset
from tonegap.declared.task import Task
from tonegap.errors import BadData
from tonegap.formats.record import DataId, Exclusion, Leaks
from tonegap.scores.rules import ScoringRules
from tonegap.split.exclude import (
    IdList,
    ListedImages,
    listed_images,
    unknown_names,
    without_listed,
)
from tonegap.split.grouped import components
from tonegap.split.leaks import crossing_groups, group_leaks, leaked_by_tone
from tonegap.split.partition import partition
from tonegap.split.parts import SplitAssignment
from tonegap.split.rows import axis_tones, second_tones
from tonegap.split.scorable import check_scorable, check_support
from tonegap.split.subset import thinned
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
    """What one task at one seed puts before the stages, thinned to a subset where one is asked for.

    Raises BadSplit where the partition is not the pinned one, or the images that are there leave a scored tone without
    support; BadData where images it needs are missing or unreadable.
    """
    whole = partition(task, data.metadata, seed)
    whole, exclusions = without_listed(whole, data.excluded)
    made = thinned(whole, subset, f"{task.id}:{task.pin_key(seed)}")
    second = second_tones(task, data.dataset, data.metadata)
    rows = {name: _rows(made, name, data, second) for name in ("train", "validation", "test")}
    missing = _missing(made, data.index)
    if missing and not (allow_missing and all(part.ids for part in rows.values())):
        raise _missing_error(task, made, data, missing)
    _check_scorable(task, seed, made, data, rows)
    if made is whole:  # of a subset some scores are undefined, and its results say so
        lost = f" without its {sum(missing.values()):,} missing images" if missing else ""
        where = f"{data.metadata.path.parent}: {task.at(seed)}{lost}"
        check_support(where, _rules(task, made), task.primary_metric, rows["test"])
    return TaskView(
        task=task.id,
        split_seed=seed,
        classes=made.classes,
        positive=made.positive,
        tones=task.scored_tones,
        selection_metric=task.selection_metric,
        published_selection=task.published_selection,
        primary_metric=task.primary_metric,
        min_support=task.min_support,
        data=_data_id(data, missing, None if made is whole else subset, exclusions),
        train=rows["train"],
        validation=rows["validation"],
        test=rows["test"],
        leaks=_leaks(made, data),
        methods_see_duplicates=task.file.leaks.methods_see_duplicates,
        methods_see_groups=task.file.leaks.methods_see_groups,
        n_without_tone=made.n_without_tone,
        not_scored=_not_scored(task, made, data.metadata, rows["test"]),
        unknown_listed=tuple(unknown_names(data.excluded)),
    )


def _not_scored(
    task: Task, made: SplitAssignment, metadata: Metadata, test: PartitionImages
) -> dict[str, int]:
    """How many test images have each tone that the task does not score."""
    tone_of = dict(zip(made.ids, axis_tones(task, metadata), strict=True))
    counts = Counter(tone_of[image_id] for image_id in test.ids)
    return {tone: counts[tone] for tone in task.file.tones.not_scored}


def _leaks(made: SplitAssignment, data: LoadedData) -> Leaks:
    """What crosses from training or validation into test: near-duplicates, and declared groups."""
    crossing = crossing_groups(made, data.index.groups)
    by_tone = {tone or "unknown": n for tone, n in leaked_by_tone(made, crossing).items()}
    crossed = group_leaks(data.metadata, made)
    return Leaks(len(crossing), sum(by_tone.values()), dict(sorted(by_tone.items())), crossed)


def _rules(task: Task, made: SplitAssignment) -> ScoringRules:
    return ScoringRules(made.classes, made.positive, None, task.min_support, task.scored_tones)


def _check_scorable(
    task: Task,
    seed: int,
    made: SplitAssignment,
    data: LoadedData,
    rows: Mapping[str, PartitionImages],
) -> None:
    where = f"{data.metadata.path.parent}: {task.at(seed)}"
    check_scorable(
        where, _rules(task, made), task.selection_metric, rows["validation"], rows["test"]
    )


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


def _missing(made: SplitAssignment, index: ImageIndex) -> dict[str, int]:
    counts: dict[str, int] = {}
    for image_id, part in zip(made.ids, made.parts, strict=True):
        if part != "unused" and image_id not in index.sha256:
            counts[part] = counts.get(part, 0) + 1
    return dict(sorted(counts.items()))


def _missing_error(
    task: Task, made: SplitAssignment, data: LoadedData, missing: dict[str, int]
) -> BadData:
    lost = [
        image_id
        for image_id, part in zip(made.ids, made.parts, strict=True)
        if part != "unused" and image_id not in data.index.sha256
    ]
    counts = ", ".join(f"{n} {part}" for part, n in missing.items())
    return BadData(
        f"{data.metadata.path.parent}: {len(lost)} images that {task.id} needs are missing or "
        f"unreadable ({counts}; first: {', '.join(lost[:3])}); see `tonegap data check "
        f"{data.dataset.id} --root DIR`, or pass --allow-missing to run without them, as long as no "
        "partition is empty"
    )


def _data_id(
    data: LoadedData, missing: dict[str, int], subset: int | None, exclusions: tuple[Exclusion, ...]
) -> DataId:
    return DataId(
        data_set=data.dataset.id,
        metadata_sha256=data.metadata.sha256,
        images_sha256=data.index.digest,
        stand_in=data.metadata.stand_in,
        drawn=data.dataset.file.drawn is not None,
        missing=missing,
        subset=subset,
        exclusions=exclusions,
        joined=tuple(part.dataset.id for part in data.metadata.parts),
    )
