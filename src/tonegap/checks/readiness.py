"""Says which tasks can be run on a data root as it is, and why the others cannot."""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from tonegap.data.metadata import Metadata, first_three
from tonegap.declared.task import Task
from tonegap.errors import ToneGapError
from tonegap.formats.record import Exclusion, GroupLeak
from tonegap.scores.rules import ScoringRules
from tonegap.split.id_lists import ListedImages, without_listed
from tonegap.split.leaks import group_leaks, n_of_held_out
from tonegap.split.partition import partition
from tonegap.split.parts import SplitAssignment
from tonegap.split.published import unused_lines, unused_values
from tonegap.split.scorable import check_scorable, check_support, part_of
from tonegap.split.unknown_tones import UnknownTones, unknown_tones
from tonegap.texts import is_label


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether a task can be run on all its images; `reason` is "" where it can.

    `no_class`: how many rows have each label that none of its classes takes, the most frequent first.
    `sizes` are those of its first seed, `leaks` what crosses between them by each of the data set's group columns,
    `leak_shares` for each column and each seed that makes a split of its own the share of test images that it says
    of, in percent.
    `unknown` crosses the classes with unknown tone. `unused_values`: how many images of its classes have each value
    that a split by value leaves unused; `unused_lines` say so. `n_bad_masks` training images have an unusable
    mask. `n_unseen` training images of its first seed are of a patient that is held out, so that no method sees them.
    """

    task: str
    n_images: int
    reason: str
    no_class: Mapping[str, int] = field(default_factory=dict)
    sizes: Mapping[str, int] = field(default_factory=dict)
    leaks: Mapping[str, GroupLeak] = field(default_factory=dict)
    leak_shares: Mapping[str, Mapping[int, float]] = field(default_factory=dict)
    unknown: UnknownTones | None = None
    exclusions: tuple[Exclusion, ...] = ()
    unused_values: Mapping[str, int] = field(default_factory=dict)
    unused_lines: tuple[str, ...] = ()
    n_bad_masks: int = 0
    n_unseen: int = 0


def check_tasks(
    tasks: Sequence[Task],
    metadata: Metadata,
    usable: Collection[str],
    lists: Sequence[ListedImages] = (),
    bad_masks: Collection[str] = (),
) -> tuple[Readiness, ...]:
    """One answer per task; `usable` are the ids whose images are there and decode, `lists` leave images out.

    `bad_masks`: the ids whose mask a method that needs masks would be refused for.
    """
    there = frozenset(usable)
    return tuple(_check(task, metadata, there, lists, bad_masks) for task in tasks)


def _check(
    task: Task,
    metadata: Metadata,
    usable: frozenset[str],
    lists: Sequence[ListedImages],
    bad_masks: Collection[str],
) -> Readiness:
    no_class = _no_class(task, metadata)
    unused = _unused_values(task, metadata)
    lines = tuple(unused_lines(task, unused))
    made: SplitAssignment | None = None
    exclusions: tuple[Exclusion, ...] = ()
    splits: list[SplitAssignment] = []
    try:
        for seed in reversed(_seeds(task)):
            whole = partition(task, metadata, seed)
            made, exclusions = without_listed(whole, lists)
            _check_scorable(task, seed, made)
            splits.insert(0, made)
    except ToneGapError as e:
        unknown = _unknown(task, metadata, lists, made)
        return Readiness(
            task.id, 0, str(e), no_class, unknown=unknown, unused_values=unused, unused_lines=lines
        )
    lines += tuple(_lacking_classes(splits[0]))
    used = {
        i
        for made in splits
        for i, part in zip(made.ids, made.parts, strict=True)
        if part != "unused"
    }
    train = {
        image_id
        for made in splits
        for image_id, part in zip(made.ids, made.parts, strict=True)
        if part == "train"
    }
    lost = [image_id for image_id in metadata.ids if image_id in used and image_id not in usable]
    reason = (
        f"{len(lost):,} of the {len(used):,} images it uses are missing or broken "
        f"(first: {first_three(lost)})"
    )
    leaks = {
        seed: group_leaks(metadata, made) for seed, made in zip(_seeds(task), splits, strict=True)
    }
    n_test = [made.sizes["test"] for made in splits]
    unseen = 0 if task.file.leaks.methods_see_groups else n_of_held_out(metadata, splits[0])
    return Readiness(
        task.id,
        len(used),
        reason if lost else "",
        no_class,
        splits[0].sizes,
        leaks[_seeds(task)[0]],
        {
            name: {
                seed: 100 * of[name].n_test_images / n
                for (seed, of), n in zip(leaks.items(), n_test, strict=True)
            }
            for name in metadata.groups
        },
        _unknown(task, metadata, lists, splits[0]),
        exclusions,
        unused,
        lines,
        len(train.intersection(bad_masks)),
        unseen,
    )


def _lacking_classes(made: SplitAssignment) -> Iterator[str]:
    """A line on the classes of which no training image is."""
    there = {label for label, part in zip(made.labels, made.parts, strict=True) if part == "train"}
    if lack := [repr(name) for name in made.classes if name not in there]:
        yield f"no training image is of {first_three(lack)}: nothing can learn it"


def _unused_values(task: Task, metadata: Metadata) -> dict[str, int]:
    try:
        return unused_values(task, metadata)
    except ToneGapError:
        return {}  # why not is said already


def _unknown(
    task: Task,
    metadata: Metadata,
    lists: Sequence[ListedImages],
    made: SplitAssignment | None,
) -> UnknownTones | None:
    """Of the images in use, and of those that only lack a tone; of all where no split is made."""
    unused = set(made.members("unused")).difference(made.without_tone) if made else set()
    try:
        return unknown_tones(task, metadata, unused.union(*(images.ids for images in lists)))
    except ToneGapError:
        return None  # why not is said already


def _seeds(task: Task) -> tuple[int, ...]:
    """The seeds that make splits of their own."""
    return task.seeds if task.seeded else task.seeds[:1]


def _check_scorable(task: Task, seed: int, made: SplitAssignment) -> None:
    rules = ScoringRules(
        made.classes, made.positive, None, task.file.scores.min_support, task.scored_tones
    )
    validation, test = (part_of(made, name) for name in ("validation", "test"))
    check_scorable(task.at(seed), rules, task.file.selection.metric, validation, test)
    check_support(task.at(seed), rules, task.file.scores.primary, test)


def _no_class(task: Task, metadata: Metadata) -> dict[str, int]:
    """Labels that no class of the task takes; {} where the layout lacks the column."""
    labels = task.file.labels
    cells = metadata.columns.get(labels.column, ())
    taken = set(task.classes)

    def is_taken(cell: str) -> bool:
        name = labels.rename.get(cell, cell)
        return cell not in labels.exclude and (name in taken if taken else is_label(name))

    return dict(Counter(cell for cell in cells if not is_taken(cell)).most_common())
