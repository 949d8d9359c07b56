"""Reads a truth file into the label and the tone of each image.

The mistake it exists to prevent: an unknown tone written as a number, which would be scored as a
tone of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from tonegap.errors import BadPredictions, BadRequest
from tonegap.scores.reading import as_text, printable, read_table, refuse
from tonegap.tones import COARSE, FINE, parse_tone, tone_group, tones_like

_COLUMNS = ("image_id", "label", "tone")


@dataclass(frozen=True)
class Truth:
    """Label and tone (None: unknown) of each image, all three in one order."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    tones: tuple[str | None, ...]


def read_truth(path: Path) -> Truth:
    """The truth of a CSV or Parquet file with the columns image_id, label and tone.

    Other columns are left out. Raises BadPredictions if a column is missing, an id or label is
    empty, repeated or surrounded by spaces, or a tone is none (see `tonegap.tones.parse_tone`).
    """
    table, where = read_table(path, _COLUMNS.__contains__), str(path)
    refuse(
        where,
        "missing columns",
        [c for c in _COLUMNS if c not in table.column_names],
        f"wanted {', '.join(_COLUMNS)}",
    )
    ids = as_text(table["image_id"], "image_id", where)
    check_ids(ids, where)
    twice = [c["values"].as_py() for c in pc.value_counts(ids) if c["counts"].as_py() > 1]
    refuse(where, "images with more than one row", twice)
    named = ids.to_pylist()
    labels = pc.fill_null(as_text(table["label"], "label", where), "").to_pylist()
    pairs = list(zip(named, labels, strict=True))
    refuse(where, "images without a label", [i for i, label in pairs if not label])
    spaced = [f"{label!a} of {i}" for i, label in pairs if label != label.strip()]
    refuse(where, "labels with spaces around them", spaced, "remove them")
    return Truth(tuple(named), tuple(labels), tones_of(table["tone"], named, where))


def check_ids(ids: pa.ChunkedArray, where: str) -> None:
    """Raises BadPredictions if an id is empty or surrounded by spaces (a stray CR included)."""
    empty = pc.equal(pc.fill_null(ids, ""), "").to_numpy()
    refuse(where, "rows without an image_id", [f"row {i + 1}" for i in empty.nonzero()[0]])
    spaced = pc.not_equal(ids, pc.utf8_trim_whitespace(ids))
    refuse(where, "ids with spaces around them", ids.filter(spaced).to_pylist(), "remove them")


def pool_tones(tones: Sequence[str | None]) -> tuple[str | None, ...]:
    """The tone group of each tone; unknown stays unknown."""
    return tuple(None if tone is None else tone_group(tone) for tone in tones)


def tones_as(tones: Sequence[str | None], axis: str | None) -> tuple[str | None, ...]:
    """The tones as `types`, as `groups`, or (None) as they are.

    Raises BadRequest if types are wanted of images of which only the group is known.
    """
    if axis == "groups":
        return pool_tones(tones)
    if axis == "types" and any(tone in COARSE for tone in tones):
        raise BadRequest("the truth has tone groups, and skin types do not follow from them")
    return tuple(tones)


def tones_of(column: pa.ChunkedArray, ids: Sequence[str], where: str) -> tuple[str | None, ...]:
    """The tones of a column's cells, None where a cell is empty or null.

    Raises BadPredictions for cells that are no tone, and for skin types beside tone groups.
    """
    cells = ["" if cell is None else str(cell) for cell in column.to_pylist()]
    tones: list[str | None] = []
    bad = []
    for row, (image_id, cell) in enumerate(zip(ids, cells, strict=True), start=1):
        try:
            tones.append(parse_tone(cell))
        except ValueError:
            bad.append(f"{printable(cell)} in row {row}, {printable(image_id)}")
    refuse(
        where,
        "cells that are no skin tone",
        bad,
        "wanted 1 to 6, I to VI, M1 to M10, a group such as V-VI, or an empty cell where it is unknown",
    )
    if len({tones_like(tone)[0][0] for tone in tones if tone}) > 1:
        raise BadPredictions(
            f"{where}: mixes Fitzpatrick and Monk tones; write one of the two for all images"
        )
    n_types = sum(tone in FINE for tone in tones)
    n_groups = sum(tone in COARSE for tone in tones)
    if n_types and n_groups:
        raise BadPredictions(
            f"{where}: mixes skin types ({n_types:,} rows) and tone groups ({n_groups:,} rows); "
            f"write one of the two for all images"
        )
    return tuple(tones)
