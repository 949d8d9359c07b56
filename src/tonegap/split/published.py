"""Applies a split rule to rows: says which of them the paper trained on and tested on.

Where a paper called scikit-learn or pandas, the same call is made here, on rows in file order:
those libraries decide the split, and the pins of a task catch any release that decides otherwise.
They are imported inside the functions, so that tasks without them stay fast.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import assert_never

from tonegap.data.labels import misspelt
from tonegap.data.metadata import Metadata, first_three
from tonegap.declared.split_rules import (
    GroupedHoldout,
    GroupedKFold,
    PinnedList,
    RandomHoldout,
    RandomThreeWay,
    ReferenceImages,
    SplitRule,
    TextHoldout,
    ToneHoldout,
    ValueHoldout,
)
from tonegap.declared.task import Task
from tonegap.errors import BadSplit
from tonegap.split.grouped import folds, held_out
from tonegap.split.rows import SelectedRows, column_of, rows_of

_SHOWN = 6  # values that a line names


def published_parts(rule: SplitRule, rows: SelectedRows, seed: int) -> list[str]:
    """`train`, `validation` (where the rule gives it), `test` or `unused` for each row.

    Raises BadSplit where the rule cannot be applied: a column is missing, a stratum is too small.
    """
    every = range(len(rows.index))
    match rule:
        case GroupedHoldout():
            groups, key = rows.groups(rule.columns), f"test:{seed}"
            test = held_out(groups, rows.ids, rows.strata(rule.strata), rule.test_fraction, key)
            return _parts(len(every), test=test)
        case GroupedKFold():
            shuffle, tested = divmod(seed, rule.folds)
            groups, key = rows.groups(rule.columns), f"folds:{shuffle}"
            found = folds(groups, rows.ids, rows.strata(rule.strata), rule.folds, key)
            return _parts(len(every), test=[i for i in every if found[i] == tested])
        case PinnedList():
            raise BadSplit(
                f"{rows.metadata.path}: the split is a published list, and the task has no pin of it yet; "
                "pin it with `tonegap split TASK --root DIR --pin --from LIST`"
            )
        case RandomHoldout():
            state = seed if rule.random_state is None else rule.random_state
            _, drawn = _halves(rows, every, rule.test_fraction, state, rule.stratify)
            return _parts(len(every), test=drawn)
        case RandomThreeWay():
            first, second = rule.random_state, rule.halving_state
            places = sorted(every, key=rows.ids.__getitem__) if rule.sorted_ids else every
            _, rest = _halves(rows, places, rule.held_out_fraction, first, rule.stratify)
            second = first if second is None else second
            validation, drawn = _halves(rows, rest, 0.5, second, rule.stratify)
            return _parts(len(every), test=drawn, validation=validation)
        case ToneHoldout():
            sides = ["train" if tone in rule.train else "test" for tone in rows.tones]
            return _common_only(sides, rows, rule.common)
        case TextHoldout():
            return _text_holdout(rule, rows)
        case ValueHoldout():
            return _value_holdout(rule, rows)
        case ReferenceImages():
            return _reference_images(rule, rows, seed)
        case _:
            assert_never(rule)


def _halves(
    rows: SelectedRows,
    places: Sequence[int],
    test_fraction: float,
    state: int,
    stratify: str,
) -> tuple[list[int], list[int]]:
    """scikit-learn's two halves of `places`, the second one of the fraction's size; `stratify`: a column, or ""."""
    import numpy as np
    from sklearn.model_selection import train_test_split

    cells = rows.cells(stratify) if stratify else ()
    try:
        first, second = train_test_split(
            np.asarray(places),
            test_size=test_fraction,
            random_state=state,
            stratify=np.asarray([cells[i] for i in places]) if cells else None,
        )
    except ValueError as e:
        counts = Counter(cells[i] for i in places) if cells else Counter[str]()
        alone = [repr(cell) for cell, n in counts.items() if n == 1]
        why = (
            f"{first_three(sorted(alone))} of {stratify} has one image, which cannot be on both sides; leave it out "
            "(labels.exclude) or stratify by another column"
            if alone
            else str(e)
        )
        raise BadSplit(
            f"{rows.metadata.path}: {len(places)} images cannot be split with a share of "
            f"{test_fraction:g} held out: {why}"
        ) from None
    return first.tolist(), second.tolist()


def _parts(n: int, *, test: Iterable[int], validation: Iterable[int] = ()) -> list[str]:
    parts = ["train"] * n
    for i in validation:
        parts[i] = "validation"
    for i in test:
        parts[i] = "test"
    return parts


def _text_holdout(rule: TextHoldout, rows: SelectedRows) -> list[str]:
    sides = [
        "train" if rule.train in cell else "test" if rule.test in cell else "unused"
        for cell in rows.cells(rule.column)
    ]
    sides = _common_only(sides, rows, rule.common, rule.at_least)
    if (drawn := rule.validation) is not None:
        train = [i for i, side in enumerate(sides) if side == "train"]
        for i in _halves(rows, train, drawn.fraction, drawn.random_state, drawn.stratify)[1]:
            sides[i] = "validation"
    return sides


def _value_holdout(rule: ValueHoldout, rows: SelectedRows) -> list[str]:
    part_of = {value: part for part, values in rule.values.items() for value in values}
    cells, where = rows.cells(rule.column), f"{rows.metadata.path}: {rule.column}"
    if found := misspelt(cells, part_of, part_of):
        raise BadSplit(
            f"{where} has values that differ in spelling alone from those of the split: {found}; list them in "
            "split.train, split.test or split.unused, or map them with `cells` of the column in dataset.toml"
        )
    there = set(column_of(rows.metadata, rule.column))
    for value, part in part_of.items():
        if value not in there and part != "unused":
            raise BadSplit(
                f"{where} has no row of the value {value!r} of split.{part}; it has: "
                f"{first_three([repr(cell) for cell in sorted(there)])}"
            )
    return [part_of.get(cell, "unused") for cell in cells]


def unused_values(task: Task, metadata: Metadata) -> dict[str, int]:
    """How many images of the task's classes each value has that a split by value puts into no partition.

    The most frequent first; {} for other rules. Raises BadSplit where the rows cannot be told.
    """
    if not isinstance(rule := task.file.split, ValueHoldout):
        return {}
    in_use = {*rule.train, *rule.validation, *rule.test}
    cells = rows_of(task, metadata).cells(rule.column)
    return dict(Counter(cell for cell in cells if cell not in in_use).most_common())


def unused_lines(task: Task, values: Mapping[str, int]) -> list[str]:
    """A line on images that are unused because of their value in the column of a split; none where there are none."""
    listed = [f"{value!r} {n:,}" for value, n in values.items()]
    more = f", … ({len(listed)} values)" if len(listed) > _SHOWN else ""
    column = getattr(task.file.split, "column", "")
    n_images = f"{sum(values.values()):,} ({', '.join(listed[:_SHOWN])}{more})"
    return [f"images that the split by {column} leaves unused: {n_images}"] if values else []


def _common_only(sides: list[str], rows: SelectedRows, column: str, at_least: int = 1) -> list[str]:
    """The sides, with images `unused` whose value in the column is on one side only, or too rare in training."""
    if not column:
        return sides
    cells = rows.cells(column)
    n = Counter(zip(cells, sides, strict=True))
    common = {c for c in set(cells) if n[c, "train"] >= at_least and n[c, "test"]}
    return [s if c in common else "unused" for c, s in zip(cells, sides, strict=True)]


def _reference_images(rule: ReferenceImages, rows: SelectedRows, seed: int) -> list[str]:
    light = [i for i, tone in enumerate(rows.tones) if tone in rule.light]
    dark = [i for i, tone in enumerate(rows.tones) if tone in rule.dark]
    parts = ["unused"] * len(rows.index)
    for i in light:
        parts[i] = "train"
    for i in dark:
        parts[i] = "test"
    for i in _drawn(rule, rows, light, seed):
        parts[i] = "unused"
    for i in _drawn(rule, rows, dark, seed):
        parts[i] = "train" if rule.dark_in_training else "unused"
    return parts


def _drawn(rule: ReferenceImages, rows: SelectedRows, side: Sequence[int], seed: int) -> list[int]:
    """The places of the reference images of one side."""
    import pandas as pd

    frame = pd.DataFrame(
        {"name": [rows.classes[i] for i in side], "tone": [rows.tones[i] for i in side]},
        index=list(side),
    )
    try:
        if rule.within == "class":
            return frame.groupby("name").sample(n=rule.references, random_state=seed).index.tolist()
        cells = [cell for _, cell in frame.groupby(["name", "tone"])]
        drawn = [cell.sample(n=rule.references, random_state=seed) for cell in cells]
    except ValueError as e:
        raise BadSplit(
            f"{rows.metadata.path}: {rule.references} reference images cannot be drawn within each "
            f"{rule.within.replace('-', ' ')}: {e}"
        ) from None
    return [i for cell in drawn for i in cell.index.tolist()]
