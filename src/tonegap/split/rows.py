"""The images of a metadata file that take part in a task, with class and tone.

The mistake it exists to prevent: an image of unknown tone or of another label that slips into a
partition because a filter came after the split instead of before it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from tonegap.data.metadata import Metadata, first_three
from tonegap.declared.dataset import Dataset
from tonegap.declared.split_rules import Stratum
from tonegap.declared.task import Task
from tonegap.errors import BadSplit
from tonegap.split.grouped import components
from tonegap.split.labels import doubled, misspelt
from tonegap.texts import is_label
from tonegap.tones import COARSE, tone_group


@dataclass(frozen=True, slots=True)
class SelectedRows:
    """Images that take part, in file order: `index` is each one's row in the metadata.

    `without_tone`: images of a class of the task that take no part because nobody knows their tone.
    """

    metadata: Metadata
    index: tuple[int, ...]
    classes: tuple[str, ...]
    tones: tuple[str | None, ...]
    without_tone: tuple[str, ...] = ()

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids, in file order."""
        return tuple(self.metadata.ids[i] for i in self.index)

    def strata(self, names: Sequence[Stratum]) -> list[tuple[str, ...]]:
        """What each row has of tone and class, in the order of the names."""
        of_row = {"tone": [tone or "unknown" for tone in self.tones], "class": self.classes}
        columns = [of_row[name] for name in names]
        return [tuple(column[i] for column in columns) for i in range(len(self.index))]

    def groups(self, columns: Sequence[str]) -> list[int]:
        """For each row a number that images of one group share; of all the data set's groups where no columns.

        Raises BadSplit if a column is missing, or nothing says what belongs together.
        """
        named = {column: column_of(self.metadata, column) for column in columns}
        if not (named or self.metadata.groups):
            raise BadSplit(
                f"{self.metadata.path}: the task keeps groups whole, and nothing says which images belong together; "
                "name the columns of patient or lesion as `groups` in dataset.toml"
            )
        every = components(named or self.metadata.groups, len(self.metadata.ids))
        return [every[i] for i in self.index]

    def cells(self, column: str) -> tuple[str, ...]:
        """A metadata column's cells for these rows. Raises BadSplit if there is none."""
        cells = column_of(self.metadata, column)
        return tuple(cells[i] for i in self.index)


def column_of(metadata: Metadata, column: str) -> tuple[str, ...]:
    """A metadata column. Raises BadSplit naming the columns there are."""
    if column not in metadata.columns:
        known = ", ".join(metadata.columns)
        raise BadSplit(
            f"{metadata.path}: the task needs the column {column!r}, this layout "
            f"({metadata.schema}) has: {known}"
        )
    return metadata.columns[column]


def axis_tones(task: Task, metadata: Metadata) -> tuple[str | None, ...]:
    """Every row's tone on the task's axis, by group where the task scores groups.

    Raises BadSplit naming the axes there are.
    """
    if task.tone_axis not in metadata.tones:
        known = ", ".join(metadata.tones)
        raise BadSplit(
            f"{metadata.path}: {task.id} needs the tone axis {task.tone_axis!r}, this layout "
            f"({metadata.schema}) has: {known}"
        )
    return _scored_as(task, metadata.tones[task.tone_axis])


def second_tones(task: Task, dataset: Dataset, metadata: Metadata) -> dict[str, str | None]:
    """Every image's tone by the second annotation of the task's axis; empty where this layout has none."""
    second = dataset.file.tones[task.tone_axis].second
    if second not in metadata.tones:
        return {}
    return dict(zip(metadata.ids, _scored_as(task, metadata.tones[second]), strict=True))


def _scored_as(task: Task, tones: tuple[str | None, ...]) -> tuple[str | None, ...]:
    """Tones by group where the task scores groups."""
    if task.scored_tones[0] not in COARSE:
        return tones
    return tuple(None if tone is None else tone_group(tone) for tone in tones)


def rows_of(task: Task, metadata: Metadata) -> SelectedRows:
    """The rows that have one of the task's classes and, unless the task keeps them, a known tone.

    Raises BadSplit if the column or the axis is missing, or a declared class has no image.
    """
    labels = task.file.labels
    cells = column_of(metadata, labels.column)
    names = [labels.rename.get(c, c) for c in cells]
    tones = axis_tones(task, metadata)
    declared = frozenset(task.classes)
    of_class = [
        i
        for i, name in enumerate(names)
        if cells[i] not in labels.exclude and (name in declared if declared else is_label(name))
    ]
    keep = task.file.tones.keep_unknown
    index = tuple(i for i in of_class if keep or tones[i] is not None)
    rows = SelectedRows(
        metadata,
        index,
        tuple(names[i] for i in index),
        tuple(tones[i] for i in index),
        tuple(metadata.ids[i] for i in of_class if not keep and tones[i] is None),
    )
    _check_spelling(task, metadata, cells, names)
    missing = sorted(set(task.classes).difference(rows.classes))
    if missing:
        raise BadSplit(
            f"{metadata.path}: no image that takes part in {task.id} is "
            f"{' or '.join(repr(m) for m in missing[:3])}; {labels.column} has: "
            f"{first_three(sorted(set(names)))}"
        )
    return rows


def _check_spelling(
    task: Task, metadata: Metadata, cells: Sequence[str], names: Sequence[str]
) -> None:
    """Raises BadSplit for labels that a person meant alike and the task would not."""
    labels = task.file.labels
    if task.classes:
        taken = {c for c, name in zip(cells, names, strict=True) if name in task.classes}
        found = misspelt(cells, taken.union(labels.exclude), {*task.classes, *labels.rename})
    else:
        there = (n for c, n in zip(cells, names, strict=True) if c not in labels.exclude)
        found = doubled([name for name in there if is_label(name)])
    if found:
        raise BadSplit(
            f"{metadata.path}: {labels.column} has labels of {task.id} that differ in spelling alone: {found}; "
            "map them with labels.rename (or `cells` of the column in dataset.toml), or name them in labels.exclude"
        )


def positive_classes(task: Task, rows: SelectedRows, classes: Sequence[str]) -> tuple[str, ...]:
    """The classes that together are the event of sensitivity and specificity, in class order.

    Raises BadSplit if the images of one class disagree about it.
    """
    where = task.file.labels.positive_where
    if where is None:
        return tuple(c for c in classes if c in task.file.labels.positive)
    said = set(zip(rows.classes, (c == where.value for c in rows.cells(where.column)), strict=True))
    both = sorted(c for c in classes if {(c, True), (c, False)} <= said)
    if both:
        raise BadSplit(
            f"{rows.metadata.path}: some images of class {both[0]!r} have {where.column} "
            f"{where.value!r} and some have not; {task.id} wants all or none"
        )
    return tuple(c for c in classes if (c, True) in said)
