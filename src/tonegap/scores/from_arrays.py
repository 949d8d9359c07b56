"""Arrays, lists, Series and DataFrames of an analysis in memory as the answers that every score is made from.

The mistake it exists to prevent: columns of probabilities in another order than the classes they are taken for.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Any

import numpy as np
import pyarrow as pa

from tonegap.arguments import as_found
from tonegap.arrays import FloatArray
from tonegap.errors import BadPredictions
from tonegap.scores.evidence.images import TestAnswers
from tonegap.scores.predictions import parse_predictions
from tonegap.scores.reading import PROBABILITY, refuse
from tonegap.scores.rules import ScoringRules, default_positive
from tonegap.scores.truth import tones_of

_TEXTS = (str, bytes, bytearray)
_PROBA = (
    "an array or a DataFrame with a row for each image and a column for each class, or one number for each image: the "
    "probability of the second of two classes"
)


def answers_from_arrays(
    y_true: Any,
    proba: Any,
    tone: Any,
    groups: Any = None,
    *,
    classes: Sequence[object] | None = None,
    ids: Any = None,
) -> TestAnswers:
    """The answers to n images, taken by position: labels, probabilities [n, k], tones, groups; no threshold.

    Each of `y_true`, `tone`, `groups`, `ids` is a list, array or Series of n values, or a DataFrame or dict with one
    column (of pandas, polars or pyarrow), as fairlearn's MetricFrame takes them. `proba` is an array or a DataFrame
    with k columns, or n probabilities of the second of two classes. Labels are compared as text. Class j belongs to
    column j of `proba`: the DataFrame's own names (without a `p_` that all have), else `classes`, else the labels of
    `y_true` in order, as scikit-learn's `classes_`. Images without a group are groups of their own; `ids` default to
    0, 1, …. Rows of float16 that sum to 1 within its precision (2^-10) are divided by their sum; all others are taken
    as they are.

    Raises BadPredictions for lengths that differ, values that are nested, a label without a column, what is no tone,
    masked or complex numbers, and rows of `proba` that are no distribution.
    """
    labels = ["" if is_missing(v) else str(v) for v in values_of(y_true, "y_true")]
    n = len(labels)
    if not n:
        raise BadPredictions("y_true: has no values")
    names = (
        [str(v) for v in values_of(ids, "ids", n)]
        if ids is not None
        else [str(i) for i in range(n)]
    )
    refuse(
        "y_true", "images without a label", [i for i, v in zip(names, labels, strict=True) if not v]
    )
    p, found = _columns(proba, n)
    one = np.ndim(proba) == 1
    known = _classes(found, classes, y_true, p.shape[1], one)
    if one:
        _check_second(str(getattr(proba, "name", "")), known)
    refuse(
        "y_true",
        "labels without a column of proba",
        sorted({*labels} - {*known}),
        "name the columns with classes=",
    )
    columns = {PROBABILITY + name: p[:, j] for j, name in enumerate(known)}
    checked = parse_predictions(
        pa.table({"image_id": pa.array(names, pa.string()), **columns}), known, names, "proba"
    )
    cells = ["" if is_missing(v) else str(v) for v in values_of(tone, "tone", n)]
    return TestAnswers(
        ids=checked.ids,
        labels=tuple(labels),
        tones=tones_of(pa.chunked_array([pa.array(cells, pa.string())]), names, "tone"),
        units=_units(groups, n),
        classes=known,
        p=checked.p[0],
        epoch=0,
        threshold=None,
    )


def values_of(
    given: Any, name: str, n: int | None = None, each: str = "value for each image"
) -> list[object]:
    """The values of a list, array, Series, or of the one column of a DataFrame or dict, as Python has them.

    Raises BadPredictions for what has no values in an order (a text, a generator, a set), several columns, values that
    are nested, or another number of values than `n`. `each` says what was wanted.
    """
    _check_collected(given, name)
    if isinstance(given, Mapping) or hasattr(given, "columns"):
        columns = list(given) if isinstance(given, Mapping) else _column_names(given)
        if len(columns) != 1:
            shown = ", ".join(map(str, columns))
            raise BadPredictions(f"{name}: has several columns ({shown}); pass one of them")
        given = given[columns[0]]
    if hasattr(given, "reshape") and np.ndim(given) == 2:
        if given.shape[1] != 1:
            raise BadPredictions(f"{name}: has {given.shape[1]} columns; pass one of them")
        given = given.reshape(-1)
    to_list = getattr(given, "tolist", None) or getattr(given, "to_pylist", None)
    # An iterator can be read once only, a set has no order.
    ordered = isinstance(given, Iterable) and not isinstance(given, (*_TEXTS, Iterator, Set))
    try:
        found = to_list() if to_list else list(given) if ordered else None
    except TypeError:
        found = None
    if not isinstance(found, list):
        raise BadPredictions(
            f"{name}: found {as_found(given)}; wanted a list, an array or a Series of one {each}"
        )
    _check_flat(found, name)
    if n is not None and len(found) != n:
        raise BadPredictions(
            f"{name}: has {len(found)} values, y_true has {n}; give one for each image, in the same order"
        )
    return found


def _column_names(table: Any) -> list[object]:
    return list(table.column_names if isinstance(table, pa.Table) else table.columns)


def _check_collected(given: Any, name: str) -> None:
    """Raises BadPredictions for a table that is not computed yet, as the LazyFrame of polars."""
    if hasattr(type(given), "collect"):
        raise BadPredictions(
            f"{name}: found a {type(given).__name__}, which has no values yet; pass what its .collect() gives"
        )


def _check_flat(found: list[object], name: str) -> None:
    """Raises BadPredictions for the first value that is a list, a dict or another collection."""
    for i, value in enumerate(found):
        if isinstance(value, bytes):
            raise BadPredictions(
                f"{name}: found {as_found(value)} as value number {i + 1}, which is bytes; wanted text: .decode() or "
                ".astype(str) makes it"
            )
        nested = isinstance(value, Iterable) and not isinstance(value, (str, bytes))
        if nested or not isinstance(value, Hashable):
            raise BadPredictions(
                f"{name}: found {str(value)[:40]} as value number {i + 1}; wanted one label or number for each image, "
                "no lists in a list"
            )


def is_missing(value: object) -> bool:
    """Whether a value is None, NaN or what pandas writes for a missing one."""
    return (
        value is None
        or type(value).__name__ in {"NAType", "NaTType"}
        or (isinstance(value, float) and value != value)
    )


def _columns(proba: Any, n: int) -> tuple[FloatArray, tuple[str, ...] | None]:
    """Probabilities [n, k], and the names of a DataFrame's columns."""
    _check_collected(proba, "proba")
    names = tuple(map(str, _column_names(proba))) if hasattr(proba, "columns") else None
    if any(map(np.ma.is_masked, proba if isinstance(proba, (list, tuple)) else [proba])):
        raise BadPredictions(
            "proba: holds masked numbers; every image needs a probability of each class: leave the images without one "
            "out of every argument"
        )
    try:
        given = np.asarray(proba)
        if not given.ndim:
            raise BadPredictions(f"proba: found {as_found(proba)}; wanted {_PROBA}")
        if given.dtype.kind == "c":
            raise BadPredictions(f"proba: holds complex numbers ({given.dtype}); wanted fractions")
        p = given.astype(np.float64, copy=False)
    except (TypeError, ValueError, RuntimeError) as e:
        raise BadPredictions(f"proba: holds what are no numbers ({e})") from None
    if p.ndim == 1:
        p = np.column_stack((1 - p, p))
    elif p.ndim == 2 and given.dtype == np.float16:
        p = _of_half_precision(p)
    if p.ndim != 2 or len(p) != n or p.shape[1] < 2:
        shape = " x ".join(map(str, np.shape(proba)))
        raise BadPredictions(
            f"proba: has the shape {shape}, y_true has {n:,} values; wanted {_PROBA}"
        )
    if names and all(name.startswith(PROBABILITY) for name in names):
        names = tuple(name.removeprefix(PROBABILITY) for name in names)
    return p, names


def _of_half_precision(p: FloatArray) -> FloatArray:
    """Rows that sum to 1 as closely as float16 can tell, divided by their sum; others as they are."""
    sums = p.sum(axis=1, keepdims=True)
    near = np.abs(sums - 1) <= np.finfo(np.float16).eps
    return p / np.where(near, sums, 1.0)


def _classes(
    named: tuple[str, ...] | None, given: Sequence[object] | None, y_true: Any, k: int, one: bool
) -> tuple[str, ...]:
    """The class of each column of probabilities; `one`: a number for each image was given, the second class's."""
    if given is not None:
        found = tuple(map(str, values_of(given, "classes", each="name for each class")))
        if named and set(named) == set(found) and named != found:
            raise BadPredictions(
                f"classes: has the order {', '.join(found)}, proba's columns {', '.join(named)}; leave classes out"
            )
    elif named:
        found = named
    else:
        found = tuple(map(str, in_order({*values_of(y_true, "y_true")})))
    twice = [name for name, times in Counter(found).items() if times > 1]
    if twice:
        where = "classes" if given is not None else "proba" if named else "y_true"
        raise BadPredictions(
            f"{where}: names the class {twice[0]!r} more than once; give each class a name of its own"
        )
    if one and len(found) != k:
        raise BadPredictions(
            "proba: is one number for each image, the probability of the second of two classes, and the classes are "
            f"{len(found)}: {', '.join(found[:8])}; name two, in their order, with classes="
        )
    if len(found) != k:
        raise BadPredictions(
            f"proba: has {k} columns, and the classes are {len(found)}: {', '.join(found[:8])}; name one for each "
            "column, in their order, with classes="
        )
    return found


def _check_second(name: str, classes: tuple[str, ...]) -> None:
    """Raises BadPredictions for one number for each image in a Series that is named after the first of two classes."""
    if name.removeprefix(PROBABILITY) == classes[0]:
        raise BadPredictions(
            f"proba: is named {name!r}, and one number for each image is the probability of the second class, "
            f"{classes[1]!r}; pass that, or both columns, or name the classes in the other order with classes="
        )


def rules_by_value(
    answers: TestAnswers,
    y_true: Any,
    event: Iterable[object],
    threshold: float | None,
    min_support: int,
) -> ScoringRules:
    """Rules whose event, if one is named, has labels by value: 1, 1.0 and True are one, written as in `y_true`."""
    written = {label: str(label) for label in values_of(y_true, "y_true")}
    named = tuple(written.get(name, str(name)) for name in event)
    positive = named or default_positive(answers.classes)
    return ScoringRules(answers.classes, positive, threshold, min_support)


def in_order(labels: Iterable[Any]) -> list[Any]:
    """Labels as numbers in order of size, or else as text."""
    try:
        return sorted(labels)
    except TypeError:
        return sorted(labels, key=str)


def _units(groups: Any, n: int) -> tuple[int, ...]:
    """A number for each image, the same for those of a group; one of its own where none is known."""
    if groups is None:
        return tuple(range(n))
    number: dict[object, int] = {}
    keys = [
        ("alone", i) if is_missing(v) else v for i, v in enumerate(values_of(groups, "groups", n))
    ]
    return tuple(number.setdefault(key, len(number)) for key in keys)
