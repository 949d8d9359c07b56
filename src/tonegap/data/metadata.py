"""Reads a metadata CSV as columns of text, whatever historical layout it has.

The mistake it exists to prevent: a cell that a CSV reader quietly turned into a number, a NaN or a
Boolean, so that an unknown tone of -1 is averaged and an image id loses its zeros.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tonegap.data.csv_table import CsvTable, read_content, read_table
from tonegap.declared.dataset import (
    DATA_SET,
    Dataset,
    DatasetFile,
    JoinedPart,
    MetadataColumn,
    ToneAxis,
    read_dataset_folder,
)
from tonegap.errors import BadData
from tonegap.files import sha256_bytes, sha256_lines
from tonegap.texts import is_label
from tonegap.tones import parse_tone

STAND_IN = "stand-in.json"
HALF_DRAWN = "stand-in.part.json"
_DEPTH = 3  # folders below a data root


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a metadata CSV says about each image, in the order of the file.

    `columns`: canonical name -> cells as text, "" where null. `tones`: axis -> tone or None where
    unknown. `groups`: the columns whose equal cells say that images belong together (patient, lesion). A column or
    an axis that the file's layout lacks is absent. All align with `ids`. `parts`: the data sets that a joined one is
    made of, in the order of their rows.
    """

    path: Path
    sha256: str
    schema: str
    ids: tuple[str, ...]
    columns: Mapping[str, tuple[str, ...]]
    tones: Mapping[str, tuple[str | None, ...]]
    stand_in: bool
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    parts: "tuple[MetadataPart, ...]" = ()


@dataclass(frozen=True, slots=True)
class MetadataPart:
    """One of the data sets that a joined one is made of, and where its copy lies."""

    dataset: Dataset
    data_root: Path
    metadata: Metadata


def read_metadata(dataset: Dataset, data_root: Path) -> Metadata:
    """The metadata of a data root; needs the CSV alone, no images.

    Raises BadData for an absent file (with licence and access), a layout that is not declared,
    repeated or empty ids, a cell that is no tone, and a half-drawn stand-in.
    """
    if dataset.file.joined:
        return _joined(dataset, data_root)
    path = find_metadata(dataset, data_root)
    places = {data_root, path.parent}
    stand_in = any((place / STAND_IN).exists() for place in places)
    if not stand_in and any((place / HALF_DRAWN).exists() for place in places):
        raise BadData(
            f"{path.parent}: stand-in images were being drawn here and are not complete; "
            "run the same `tonegap data phantom` command again"
        )
    return parse_metadata(dataset, path, stand_in)


def _joined(dataset: Dataset, data_root: Path) -> Metadata:
    """The rows of several data sets one after the other, under the names of columns that join them."""
    parts = [_part(dataset, part.dataset, data_root) for part in dataset.file.joined]
    names = [of.dataset.id for of in parts]
    path = data_root / "+".join(names)
    ids = tuple(image_id for of in parts for image_id in of.metadata.ids)
    twice = [image_id for image_id, n in Counter(ids).items() if n > 1]
    if twice:
        raise BadData(
            f"{path}: {len(twice)} ids are of two data sets (first: {first_three(twice)})"
        )
    pairs = list(zip(dataset.file.joined, parts, strict=True))
    tones = {
        axis: tuple(
            t
            for part, of in pairs
            for t in _named(of, "tone axis", of.metadata.tones, part.tones[axis])
        )
        for axis in dataset.file.tones
    }
    columns = {
        name: tuple(cell for part, of in pairs for cell in _cells_of(part, of, name))
        for name in dataset.file.joined[0].columns
    }
    columns |= {a.column: tuple(t or "" for t in tones[n]) for n, a in dataset.file.tones.items()}
    columns[dataset.file.id_column] = ids
    columns[DATA_SET] = tuple(of.dataset.id for of in parts for _ in of.metadata.ids)
    columns |= {
        name: _of_data_set(columns[DATA_SET], columns[name]) for name in dataset.file.groups
    }
    return Metadata(
        path=path,
        sha256=sha256_lines(f"{of.dataset.id} {of.metadata.sha256}" for of in parts),
        schema="; ".join(f"{of.dataset.id}: {of.metadata.schema}" for of in parts),
        ids=ids,
        columns=columns,
        tones=tones,
        stand_in=any(of.metadata.stand_in for of in parts),
        groups={name: columns[name] for name in dataset.file.groups} | _own_groups(dataset, parts),
        parts=tuple(parts),
    )


def _of_data_set(names: Sequence[str], cells: Sequence[str]) -> tuple[str, ...]:
    """Cells that name a group, with their data set: patient 7 of one is not patient 7 of another."""
    pairs = zip(names, cells, strict=True)
    return tuple(f"{name}: {cell.strip()}" if is_label(cell) else "" for name, cell in pairs)


def _own_groups(dataset: Dataset, parts: Sequence[MetadataPart]) -> dict[str, tuple[str, ...]]:
    """The groups that data sets declare and the one that joins them does not, blank where a data set has none."""
    found: dict[str, list[str]] = {}
    n, start = sum(len(of.metadata.ids) for of in parts), 0
    for part, of in zip(dataset.file.joined, parts, strict=True):
        end = start + len(of.metadata.ids)
        declared = {part.columns[name] for name in dataset.file.groups}
        for theirs in (name for name in of.metadata.groups if name not in declared):
            name = f"{of.dataset.id} {theirs}" if theirs in dataset.file.groups else theirs
            cells = found.setdefault(name, [""] * n)
            names = [of.dataset.id] * (end - start)
            cells[start:end] = _of_data_set(names, of.metadata.groups[theirs])
        start = end
    return {name: tuple(cells) for name, cells in found.items()}


def _part(dataset: Dataset, name: str, data_root: Path) -> MetadataPart:
    own = read_dataset_folder(dataset.folder.parent / name)
    place = data_root / name
    if not place.is_dir():
        names = " and ".join(part.dataset for part in dataset.file.joined)
        raise BadData(
            f"{data_root}: no folder {name}; {dataset.file.title} joins {names}: wanted a folder of each name "
            f"(or a link to one) that holds its copy. Access to {name}: {own.file.access.strip()}"
        )
    return MetadataPart(own, place, read_metadata(own, place))


T = TypeVar("T")


def _named(
    of: MetadataPart, what: str, there: Mapping[str, tuple[T, ...]], name: str
) -> tuple[T, ...]:
    """A column or tone axis of a part. Raises BadData naming those there are."""
    if name not in there:
        raise BadData(f"{of.metadata.path}: no {what} {name!r}; there are: {', '.join(there)}")
    return there[name]


def _cells_of(part: JoinedPart, of: MetadataPart, name: str) -> tuple[str, ...]:
    """A part's cells of one column, by the names that they have where it is joined."""
    theirs = part.columns[name]
    cells, called = _named(of, "column", of.metadata.columns, theirs), part.cells.get(name)
    if called is None:
        return cells
    others = sorted(set(cells).difference(called, {""}))
    if others:
        raise BadData(
            f"{of.metadata.path}: {theirs} is {others[0]!r}; the joined data set names {', '.join(called)}"
        )
    return tuple(called.get(cell, "") for cell in cells)


def parse_metadata(dataset: Dataset, path: Path, stand_in: bool = False) -> Metadata:
    """The metadata that one CSV file holds. Raises BadData."""
    return parse_content(dataset, path, read_content(path), stand_in)


def parse_content(dataset: Dataset, path: Path, content: bytes, stand_in: bool = False) -> Metadata:
    """The metadata that the content of a CSV holds; `path` is for messages. Raises BadData."""
    table = read_table(path, content)
    where = column_positions(dataset.file, table)
    ids = tuple(row[where[dataset.file.id_column]] for row in table.rows)
    _check_ids(table, dataset.file.id_column, ids)
    columns = {
        name: _cells(table, name, dataset.file.columns[name], position)
        for name, position in where.items()
    }
    tones = {
        name: _tones(table, name, axis, columns[axis.column])
        for name, axis in dataset.file.tones.items()
        if axis.column in columns
    }
    schemas = (s.name for s in dataset.file.schemas if set(s.headers).issubset(table.header))
    groups = {name: columns[name] for name in dataset.file.groups if name in columns}
    return Metadata(
        path,
        sha256_bytes(content),
        next(schemas, "as declared"),
        ids,
        columns,
        tones,
        stand_in,
        groups,
    )


def find_metadata(dataset: Dataset, data_root: Path) -> Path:
    """The metadata CSV of a data root: directly in it, else the one below it.

    Raises BadData where there is none (with licence and access) or more than one.
    """
    names = dataset.file.metadata
    for name in names:
        if (data_root / name).is_file():
            return data_root / name
    # Not further down: somebody's home folder would take minutes, and its other files are none of ours.
    found = sorted(
        p
        for depth in range(1, _DEPTH + 1)
        for name in names
        for p in data_root.glob("*/" * depth + name)
        if p.is_file()
    )
    if len(found) > 1:
        raise BadData(
            f"{data_root}: found {found[0].relative_to(data_root)} and "
            f"{found[1].relative_to(data_root)}; wanted one, name its folder with --root"
        )
    if not found:
        file = dataset.file
        raise BadData(
            f"{data_root}: no {' or '.join(names)} here or below, so no {file.title}.\n"
            f"Licence: {file.licence.strip()}\nAccess: {file.access.strip()}"
        )
    return found[0]


def own_root(dataset: Dataset) -> Path | None:
    """The data set's own folder where its data lie beside its declaration; None where a user brings them."""
    there = any((dataset.folder / name).is_file() for name in dataset.file.metadata)
    return dataset.folder if there else None


def malignant_flags(dataset: Dataset, metadata: Metadata) -> tuple[bool | None, ...]:
    """Whether each image's lesion is malignant; None where the data set or the row does not say."""
    rule = dataset.file.malignant
    if rule is None or rule.column not in metadata.columns:
        return (None,) * len(metadata.ids)
    return tuple(cell in rule.values if cell else None for cell in metadata.columns[rule.column])


def column_positions(file: DatasetFile, table: CsvTable) -> dict[str, int]:
    """Where each declared column is in the table; optional ones may be absent.

    Raises BadData for a missing column and for a header that occurs twice.
    """
    position: dict[str, int] = {}
    for name, column in file.columns.items():
        present = [h for h in (name, *column.names) if h in table.header]
        if present and table.header.count(present[0]) > 1:
            raise BadData(f"{table.path}: the header has two columns {present[0]!r}; wanted one")
        if present:
            position[name] = table.header.index(present[0])
    missing = [n for n, c in file.columns.items() if n not in position and not c.optional]
    if missing:
        names = " or ".join(repr(n) for n in (missing[0], *file.columns[missing[0]].names))
        more = f" (and {len(missing) - 1} other declared columns)" if len(missing) > 1 else ""
        raise BadData(
            f"{table.path}: no column {names}{more}; found {', '.join(h or '(unnamed)' for h in table.header)}"
        )
    return position


def _check_ids(table: CsvTable, column: str, ids: Sequence[str]) -> None:
    empty = [line for line, image_id in zip(table.lines, ids, strict=True) if not image_id.strip()]
    if empty:
        raise BadData(f"{table.path}: line {empty[0]}: {column} is empty; every image needs an id")
    repeated = [image_id for image_id, n in Counter(ids).items() if n > 1]
    if repeated:
        raise BadData(
            f"{table.path}: {len(repeated)} ids in {column} occur more than once "
            f"(first: {first_three(repeated)}); wanted one row per image"
        )


def _cells(table: CsvTable, name: str, column: MetadataColumn, position: int) -> tuple[str, ...]:
    """The column's cells, spellings replaced by the canonical cell."""
    cells = tuple(row[position] for row in table.rows)
    if not column.cells:
        return cells
    canonical = {s: cell for cell, spellings in column.cells.items() for s in (cell, *spellings)}
    canonical[""] = ""
    for line, cell in zip(table.lines, cells, strict=True):
        if cell not in canonical:
            wanted = ", ".join(repr(s) for s in canonical if s)
            raise BadData(f"{table.path}: line {line}: {name} is {cell!r}; wanted one of {wanted}")
    return tuple(canonical[cell] for cell in cells)


def _tones(
    table: CsvTable, name: str, axis: ToneAxis, cells: Iterable[str]
) -> tuple[str | None, ...]:
    spelled: dict[str, str | None] = dict.fromkeys(axis.unknown) | axis.words
    tones = []
    wanted = "1 to 10, M1 to M10" if axis.scale == "monk" else "1 to 6, I to VI"
    wanted += "".join(f", {word}" for word in axis.words)
    for line, cell in zip(table.lines, cells, strict=True):
        if cell not in spelled:
            try:
                spelled[cell] = parse_tone(cell, axis.scale)
            except ValueError:
                raise BadData(
                    f"{table.path}: line {line}: {axis.column} is {cell!r}; wanted a skin tone "
                    f"({wanted}, a group) or, where unknown, an empty cell"
                    + "".join(f" or {u!r}" for u in axis.unknown)
                    + f" (tone axis {name}); where {cell!r} says that nobody knows, name it in `unknown` of "
                    f"[tones.{name}] in dataset.toml"
                ) from None
        tones.append(spelled[cell])
    return tuple(tones)


def first_three(names: Sequence[str]) -> str:
    """The first three names for a message, and an ellipsis if there are more."""
    return ", ".join(map(shown_id, names[:3])) + (", …" if len(names) > 3 else "")


def shown_id(name: str) -> str:
    """A name for a message: in quotes where blanks around it, or signs that nobody sees, are part of it."""
    return name if name and name == name.strip() and name.isprintable() else repr(name)


def shown_label(label: str) -> str:
    """A label for a table: as `shown_id`, and `(empty)` where there is none."""
    return shown_id(label) if label else "(empty)"
