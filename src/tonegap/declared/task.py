"""A task as its file declares it: `benchmarks/<data set>/tasks/<name>.toml`.

One question put to a data set: which labels, which tones, which split, how an epoch is selected,
what is scored. The mistake it exists to prevent: a split or a positive class that lives in code.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import msgspec

from tonegap.declared.dataset import BENCHMARKS, DATA_SET
from tonegap.declared.split_rules import (
    DrawnValidation,
    GroupedHoldout,
    GroupedKFold,
    GroupedValidationHoldOut,
    PinnedList,
    PublishedValidation,
    RandomHoldout,
    RandomThreeWay,
    ReferenceImages,
    SplitRule,
    TextHoldout,
    ToneHoldout,
    ValidationHoldOut,
    ValidationRule,
    ValueHoldout,
)
from tonegap.declared.toml import check_known, read_toml
from tonegap.errors import BadSuiteFolder
from tonegap.scores.tables import METRIC_NAMES, SELECTION_METRICS
from tonegap.tones import COARSE, TONES, tone_index, tones_like

UNSEEDED = "published"


class PositiveWhere(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The positive classes are those whose images have this value in another column."""

    column: str  # the other column
    value: str  # its cell


class Labels(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The classes: the cells of a column, renamed.

    A label that differs from a class in spelling alone is refused, unless it is renamed or excluded.
    """

    column: str  # the column of labels
    # a list (images of other labels are unused), or `"all"`: every label of an image in use, sorted; a blank cell
    # and `nan` are none
    classes: tuple[str, ...] | Literal["all"] = "all"
    rename: dict[str, str] = {}  # cell to the class it counts as
    exclude: tuple[str, ...] = ()  # cells whose images are unused
    # the classes that together are the event of sensitivity, specificity and AUC
    positive: tuple[str, ...] = ()
    # names those classes by another column, in place of `positive`
    positive_where: PositiveWhere | None = None


class Tones(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The axis of tone annotations, the tones to score, and whether images without one take part.

    With `keep_unknown` they are trained on and count in the scores over all images, in no tone's.
    Where `scored` are groups, types count by their group. `not_scored`: tones of which there are too few images;
    images of them train as any other and are tested in the scores over all images alone.
    """

    axis: str  # the data set's tone axis
    # the tones to score, light to dark; where they are groups, types count by their group
    scored: tuple[str, ...]
    # whether images of unknown tone train and count in the scores over all images
    keep_unknown: bool = True
    # tones of which there are too few images to score; they train, and are tested in the scores over all images
    # alone
    not_scored: tuple[str, ...] = ()


class SelectionRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The metric that picks an epoch, and the rule by which the paper did it."""

    # picks an epoch: accuracy, balanced_accuracy, auc or worst_tone_accuracy
    metric: str = "accuracy"
    # how the paper picked it, for its table
    published: Literal["validation", "last", "test-oracle"] = "validation"


class ScoreSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What leaves a score undefined, and what ranks."""

    min_support: int = 5  # fewer images, of a tone or of its class, leave a score undefined
    primary: str = "accuracy"  # the metric to rank by


class LeakRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What of the known leaks a task keeps as published."""

    # whether methods see training images that have a copy among the validation or test images
    methods_see_duplicates: bool = False
    # whether they see training images of a patient or lesion (the data set's `groups`) of a validation or test
    # image
    methods_see_groups: bool = False


class Pin(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The partitions of one seed as they must be; `tonegap split --pin` writes it.

    Ids themselves are not stored: they belong to the data set.
    """

    ids: str  # SHA-256 of all sorted ids, one a line
    train: str  # the same of the training images
    validation: str  # of the validation images
    test: str  # of the test images
    unused: str  # of the images not used
    # base64 of zlib of one byte for each sorted id: its partition's place in train, validation, test, unused
    assignment: str
    made_with: str = ""  # the libraries that made it


class TaskFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`tasks/NAME.toml`: one question put to a data set."""

    title: str  # its name for people
    about: str  # what is asked, and how it differs from the paper's
    labels: Labels  # the classes
    tones: Tones  # the tones
    split: SplitRule  # training and test images; its `rule` names one of those below
    validation: ValidationRule  # validation images; its `rule` names one of those below
    paper: str = ""  # the paper whose split it is
    selection: SelectionRule = SelectionRule()  # how an epoch is picked
    scores: ScoreSettings = ScoreSettings()  # support and ranking
    leaks: LeakRules = LeakRules()  # what methods see
    pins: dict[str, Pin] = {}  # a pin by seed, or `published` where the seed moves no image


@dataclass(frozen=True, slots=True)
class Task:
    """A task: its id as people type it (`phantom/smoke`), its data set, file and content."""

    id: str
    dataset_id: str
    path: Path
    file: TaskFile

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that are declared; empty for "all", which a Partition's `classes` spells out."""
        return () if self.file.labels.classes == "all" else self.file.labels.classes

    @property
    def tone_axis(self) -> str:
        """The metadata's tone axis that this task uses."""
        return self.file.tones.axis

    @property
    def scored_tones(self) -> tuple[str, ...]:
        """The tones to score, light to dark."""
        return self.file.tones.scored

    @property
    def seeds(self) -> tuple[int, ...]:
        """The task's usual seeds; the first is the default."""
        return self.file.split.seeds

    @property
    def seeded(self) -> bool:
        """Whether the seed decides the split; otherwise it drives the training alone."""
        return self.file.split.seeded

    def at(self, seed: int) -> str:
        """The id, and where the seed moves images the seed and what fold it tests on, for a message."""
        rule = self.file.split
        fold = (
            f" (fold {seed % rule.folds + 1} of {rule.folds})"
            if isinstance(rule, GroupedKFold)
            else ""
        )
        return f"{self.id}, seed {seed}{fold}" if self.seeded else self.id

    def pin_key(self, seed: int) -> str:
        """The name of the pin that holds for a seed: the seed, or `published` where it moves nothing."""
        return str(seed) if self.seeded else UNSEEDED


def tested_data_sets(rule: SplitRule, joined: Sequence[str]) -> tuple[str, ...]:
    """Those of the joined data sets that test images are of, where the split goes by data set; else none."""
    if not (isinstance(rule, ValueHoldout) and rule.column == DATA_SET):
        return ()
    return tuple(name for name in joined if name in rule.test)


def task_ids(root: Path) -> list[str]:
    """Sorted ids of the tasks of a suite root: `<data set>/<file name without .toml>`."""
    return sorted(
        f"{p.parent.parent.name}/{p.stem}" for p in (root / BENCHMARKS).glob("*/tasks/*.toml")
    )


def task_place(task_id: str) -> Path:
    """Where a task is declared, below a suite root."""
    dataset_id, _, name = task_id.partition("/")
    return Path(BENCHMARKS) / dataset_id / "tasks" / f"{name}.toml"


def read_task(root: Path, task_id: str) -> Task:
    """The task of that id. Raises BadSuiteFolder for an unknown id (naming those near it) or a wrong file."""
    known, dataset_id = task_ids(root), task_id.split("/")[0]
    near = [other for other in known if other.startswith(f"{dataset_id}/")]
    check_known(root / BENCHMARKS, "task", task_id, known, near)
    path = root / task_place(task_id)
    file = read_toml(path, TaskFile)
    for problem in task_problems(file):
        raise BadSuiteFolder(f"{path}: {problem}")
    return Task(id=task_id, dataset_id=dataset_id, path=path, file=file)


def task_problems(file: TaskFile) -> list[str]:
    """Every contradiction inside a task's file, one sentence each."""
    return [
        *_label_problems(file.labels),
        *_tone_problems(file),
        *_split_problems(file),
        *_score_problems(file),
    ]


def _label_problems(labels: Labels) -> Iterator[str]:
    if labels.positive and labels.positive_where is not None:
        yield "labels: both positive and positive_where; wanted one of them"
    if labels.classes == "all":
        return
    if len(labels.classes) < 2:
        yield f"labels.classes: found {len(labels.classes)}, wanted two or more"
    if len(set(labels.classes)) < len(labels.classes):
        yield "labels.classes: a class is listed twice"
    for name in labels.positive:
        if name not in labels.classes:
            yield f"labels.positive: {name!r} is none of the classes"


def _tone_problems(file: TaskFile) -> Iterator[str]:
    scored = file.tones.scored
    for tone in scored:
        if tone not in TONES:
            yield f"tones.scored: {tone!r} is no skin tone; wanted {', '.join(TONES)}"
            return
    if not scored:
        yield "tones.scored: empty, wanted at least one tone"
        return
    kind = tones_like(scored[0])
    if not set(scored) <= set(kind):
        yield "tones.scored: types and groups, or two scales, are mixed; wanted one kind"
    elif list(scored) != sorted(set(scored), key=tone_index):
        yield "tones.scored: wanted each tone once, from light to dark"
    for tone in file.tones.not_scored:
        if tone not in kind or tone in scored:
            wanted = ", ".join(t for t in kind if t not in scored) or "none"
            yield f"tones.not_scored: {tone!r} is no tone left by tones.scored; left are {wanted}"
    yield from _split_tone_problems(file.split, kind)


def _split_tone_problems(rule: SplitRule, kind: tuple[str, ...]) -> Iterator[str]:
    """Tones of a split that no image has as the task counts them; `kind`: the tones that are as fine as the scored."""
    match rule:
        case ToneHoldout():
            tones = rule.train
        case ReferenceImages():
            tones = rule.light + rule.dark
        case _:
            return
    for tone in tones:
        if tone not in TONES:
            yield f"split: {tone!r} is no skin tone; wanted {', '.join(TONES)}"
        elif kind[0] in COARSE and tone not in kind:
            yield f"split: {tone!r} is no group, and tones.scored are groups; wanted {', '.join(kind)}"


def _split_problems(file: TaskFile) -> Iterator[str]:
    rule, validation = file.split, file.validation
    if not rule.seeds or len(set(rule.seeds)) < len(rule.seeds):
        yield "split.seeds: wanted at least one seed, each once"
    if any(seed < 0 or seed >= 2**32 for seed in rule.seeds):
        yield "split.seeds: a seed is not between 0 and 4294967295"
    for where, share in _shares(file):
        if not 0 < share < 1:
            yield f"{where}: {share:g} is no share of images; wanted more than 0 and less than 1"
    if isinstance(rule, GroupedKFold) and rule.folds < 2:
        yield f"split.folds: found {rule.folds}, wanted 2 or more"
    yield from _value_problems(rule)
    yield from _validation_problems(rule, validation)
    for key in file.pins:
        if not (key.isdecimal() if rule.seeded else key == UNSEEDED):
            wanted = "a seed" if rule.seeded else f'"{UNSEEDED}", for the seed moves no image'
            yield f"pins.{key}: the name of this pin is wrong; wanted {wanted}"


def _value_problems(rule: SplitRule) -> Iterator[str]:
    of = rule.values if isinstance(rule, ValueHoldout) else {}
    for value in dict.fromkeys(value for values in of.values() for value in values):
        if len(parts := [part for part, values in of.items() if value in values]) > 1:
            yield f"split: {value!r} is listed in {' and in '.join(parts)}; wanted it in one of them"


def _validation_problems(rule: SplitRule, validation: ValidationRule) -> Iterator[str]:
    if isinstance(rule, PinnedList):  # its list may have validation images or not
        return
    if rule.gives_validation != isinstance(validation, PublishedValidation):
        yield (
            'validation: rule "published" belongs to the split rules "random-three-way", "pinned", '
            '"value-holdout" and "text-holdout" with validation, and to no other'
        )


def _shares(file: TaskFile) -> Iterator[tuple[str, float]]:
    match file.split:
        case RandomHoldout(test_fraction=share):
            yield "split.test_fraction", share
        case RandomThreeWay(held_out_fraction=share):
            yield "split.held_out_fraction", share
        case GroupedHoldout(test_fraction=share):
            yield "split.test_fraction", share
        case TextHoldout(validation=DrawnValidation(fraction=share)):
            yield "split.validation.fraction", share
    if isinstance(file.validation, ValidationHoldOut | GroupedValidationHoldOut):
        yield "validation.fraction", file.validation.fraction


def _score_problems(file: TaskFile) -> Iterator[str]:
    selection, primary = file.selection.metric, file.scores.primary
    if selection not in SELECTION_METRICS:
        wanted = ", ".join(SELECTION_METRICS)
        yield f"selection.metric: no epoch is selected by {selection!r}; wanted one of {wanted}"
    if primary not in METRIC_NAMES:
        yield f"scores.primary: unknown metric {primary!r}; there are: {', '.join(METRIC_NAMES)}"
    if file.scores.min_support < 1:
        yield f"scores.min_support: found {file.scores.min_support}, wanted 1 or more"
