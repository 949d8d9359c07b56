"""Reads a predictions file into probabilities per epoch, image and class, joined with the truth.

The mistake it exists to prevent: scoring another set of images than was asked for. An id that is
missing, extra or repeated in any epoch is refused, and so is a row that is no distribution.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tonegap.arrays import BoolArray, FloatArray, IntArray
from tonegap.errors import BadPredictions
from tonegap.scores.reading import PROBABILITY, as_text, is_number, printable, read_table, refuse
from tonegap.scores.truth import Truth, check_ids

SUM_TOLERANCE = 1e-4
_NUMBER = r"^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?$"
_ONE_ROW = "every image needs exactly one row in every epoch"


@dataclass(frozen=True, eq=False)
class Predictions:
    """Probabilities `p` [epochs, images, classes], float64, in the order of the three tuples.

    `epoch_column` is False where the file has none; then `epochs` is (0,).
    """

    classes: tuple[str, ...]
    ids: tuple[str, ...]
    epochs: tuple[int, ...]
    epoch_column: bool
    p: FloatArray


@dataclass(frozen=True, eq=False)
class Labelled:
    """Predictions with their answers: `p` [epochs, n, k], class index `y` [n], `tones` [n]."""

    classes: tuple[str, ...]
    ids: tuple[str, ...]
    epochs: tuple[int, ...]
    p: FloatArray
    y: IntArray
    tones: tuple[str | None, ...]


def read_predictions(
    path: Path, classes: Sequence[str] | None = None, ids: Sequence[str] | None = None
) -> Predictions:
    """The predictions of a CSV or Parquet file; see `parse_predictions` for what is refused."""
    return parse_predictions(read_table(path), classes, ids, str(path))


def parse_predictions(
    table: pa.Table,
    classes: Sequence[str] | None,
    ids: Sequence[str] | None,
    where: str = "predictions",
) -> Predictions:
    """Predictions for exactly `ids` and `classes`, in that order, in every epoch.

    None takes the ids, or the `p_…` columns, in the order of the file. Epochs are sorted. Raises
    BadPredictions, naming the first three offenders, for wrong columns, for ids that are missing,
    extra, repeated or surrounded by spaces, for an epoch that is no integer, and for probabilities
    that are no numbers, outside [0, 1], or do not sum to 1 within 1e-4.
    """
    classes = _classes(table.column_names, classes, where)
    if not table.num_rows:
        raise BadPredictions(f"{where}: has no rows")
    row_ids = as_text(table["image_id"], "image_id", where)
    check_ids(row_ids, where)
    row_epochs = _epochs(table, where)
    wanted = pc.unique(row_ids) if ids is None else pa.array(ids, pa.string())
    # First, as a file of other rows may be a large one.
    epochs, order = _grid_order(row_ids, row_epochs, wanted, where)
    p = _probabilities(table, classes, row_ids, where)
    return Predictions(
        classes=tuple(classes),
        ids=tuple(wanted.to_pylist()),
        epochs=tuple(int(e) for e in epochs),
        epoch_column="epoch" in table.column_names,
        p=p[order].reshape(len(epochs), len(wanted), len(classes)),
    )


def join(predictions: Predictions, truth: Truth, where: str = "truth") -> Labelled:
    """The predictions with the label and tone of each image.

    Raises BadPredictions for an image that only one of the two has, or a label that has no `p_…`
    column.
    """
    row_of = {image_id: row for row, image_id in enumerate(truth.ids)}
    known = set(predictions.ids)
    refuse(where, "images without a prediction", [i for i in truth.ids if i not in known])
    refuse(
        where,
        "predicted images without a row",
        [i for i in predictions.ids if i not in row_of],
        "add them, or leave them out of the predictions",
    )
    class_index = {name: j for j, name in enumerate(predictions.classes)}
    unknown = dict.fromkeys(label for label in truth.labels if label not in class_index)
    refuse(where, f"labels without a {PROBABILITY}… column in the predictions", list(unknown))
    rows = [row_of[i] for i in predictions.ids]
    return Labelled(
        classes=predictions.classes,
        ids=predictions.ids,
        epochs=predictions.epochs,
        p=predictions.p,
        y=np.array([class_index[truth.labels[r]] for r in rows], dtype=np.int64),
        tones=tuple(truth.tones[r] for r in rows),
    )


def _classes(columns: Sequence[str], wanted: Sequence[str] | None, where: str) -> list[str]:
    found = [c.removeprefix(PROBABILITY) for c in columns if c.startswith(PROBABILITY)]
    if "image_id" not in columns:
        raise BadPredictions(
            f"{where}: has no column image_id (its columns: {_shown_columns(columns)}); "
            f"wanted image_id, {PROBABILITY}<class>…, and epoch if there are several"
        )
    unknown = [c for c in columns if c not in ("image_id", "epoch") and c[:2] != PROBABILITY]
    refuse(where, "unknown columns", unknown, f"wanted image_id, epoch, {PROBABILITY}<class>…")
    if wanted is None:
        if len(found) < 2 or "" in found:
            raise BadPredictions(
                f"{where}: wanted a column {PROBABILITY}<class> for each of two classes or more "
                f"(its columns: {_shown_columns(columns)})"
            )
        return found
    refuse(where, "classes without a column", [PROBABILITY + c for c in wanted if c not in found])
    refuse(where, "columns of no class", [PROBABILITY + c for c in found if c not in wanted])
    return list(wanted)


def _shown_columns(columns: Sequence[str]) -> str:
    return ", ".join(printable(c) for c in columns[:8]) + (", …" if len(columns) > 8 else "")


def _epochs(table: pa.Table, where: str) -> IntArray:
    """Epoch of each row; 0 for all if there is no such column."""
    if "epoch" not in table.column_names:
        return np.zeros(table.num_rows, dtype=np.int64)
    column = table["epoch"]
    if pa.types.is_string(column.type):
        bad = _unlike(column, r"^[0-9]{1,9}$")
    elif pa.types.is_integer(column.type):
        bad = column.is_null().to_numpy()
    else:
        raise BadPredictions(
            f"{where}: column epoch holds {column.type}, and it must hold integers"
        )
    cells = zip(column.filter(pa.array(bad)).to_pylist(), np.flatnonzero(bad), strict=True)
    named = [f"{cell!a} in row {row + 1}" for cell, row in cells]
    refuse(where, "epochs that are no integers", named)
    epochs: IntArray = pc.cast(column, pa.int64()).to_numpy()
    return epochs


def _unlike(column: pa.ChunkedArray, pattern: str) -> BoolArray:
    """Which cells of a text column do not match; an empty cell does not."""
    unlike: BoolArray = pc.invert(
        pc.match_substring_regex(pc.fill_null(column, ""), pattern)
    ).to_numpy()
    return unlike


def _probabilities(
    table: pa.Table, classes: Sequence[str], ids: pa.ChunkedArray, where: str
) -> FloatArray:
    """`p` [rows, k]; raises BadPredictions unless each row is a distribution."""
    p = np.empty((table.num_rows, len(classes)))
    for j, name in enumerate(classes):
        p[:, j] = _numbers(table[PROBABILITY + name], PROBABILITY + name, ids, where)
    holes = np.asarray(np.isnan(p).any(axis=1))
    refuse(where, "images with an empty or NaN probability", _ids_at(ids, holes))
    outside = np.asarray(((p < 0) | (p > 1)).any(axis=1))
    refuse(where, "images with a probability outside [0, 1]", _ids_at(ids, outside))
    sums = p.sum(axis=1)
    off = np.flatnonzero(np.abs(sums - 1) > SUM_TOLERANCE)
    named = [f"{ids[int(row)].as_py()} sums to {sums[row]:.6g}" for row in off]
    refuse(where, f"images whose probabilities do not sum to 1 within {SUM_TOLERANCE:g}", named)
    return p


def _numbers(column: pa.ChunkedArray, name: str, ids: pa.ChunkedArray, where: str) -> FloatArray:
    """A column as float64, with NaN for null."""
    if pa.types.is_string(column.type):
        text = pc.utf8_trim_whitespace(column)
        bad = pa.array(_unlike(text, _NUMBER))
        pairs = zip(ids.filter(bad).to_pylist(), column.filter(bad).to_pylist(), strict=True)
        refuse(where, f"cells of {name} that are no numbers", [f"{c!a} of {i}" for i, c in pairs])
        column = text
    elif not is_number(column.type):
        raise BadPredictions(
            f"{where}: column {name} holds {column.type}, and it must hold numbers"
        )
    numbers: FloatArray = pc.cast(column, pa.float64()).to_numpy()
    return numbers


def _ids_at(ids: pa.ChunkedArray, rows: BoolArray) -> list[str]:
    """Ids of the rows marked, each once."""
    found: list[str] = pc.unique(ids.filter(pa.array(rows))).to_pylist()
    return found


def _grid_order(
    ids: pa.ChunkedArray, row_epochs: IntArray, wanted: pa.Array, where: str
) -> tuple[IntArray, IntArray]:
    """Epochs, and the order of rows that gives every wanted image once in each of them."""
    image = pc.index_in(ids, value_set=wanted)
    refuse(where, "images that were not asked for", _ids_at(ids, image.is_null().to_numpy()))
    epochs, epoch = np.unique(row_epochs, return_inverse=True)
    cell = epoch * len(wanted) + image.to_numpy()
    order = np.argsort(cell, kind="stable")
    in_order = cell[order]
    twice = np.unique(in_order[1:][in_order[1:] == in_order[:-1]]) % len(wanted)
    repeated: list[str] = wanted.take(pa.array(np.unique(twice))).to_pylist()
    refuse(where, "images with more than one row in an epoch", repeated, _ONE_ROW)
    if len(cell) < len(epochs) * len(wanted):
        first = int(np.flatnonzero(np.bincount(epoch) < len(wanted))[0])  # incomplete epoch
        present = np.zeros(len(wanted), dtype=np.bool_)
        present[image.to_numpy()[epoch == first]] = True
        missing = wanted.filter(pa.array(~present)).to_pylist()
        within = f" in epoch {epochs[first]}" if len(epochs) > 1 else ""
        refuse(where, f"images without a row{within}, of {len(wanted):,}", missing, _ONE_ROW)
    return epochs, order
