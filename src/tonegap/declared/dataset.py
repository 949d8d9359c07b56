"""A data set as its folder declares it: `benchmarks/<id>/dataset.toml`.

Everything that is particular to one data set (headers, licence, published counts) is in that file,
so that the engine treats a user's own folder and a famous download alike.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

import msgspec

from tonegap.declared.toml import read_toml
from tonegap.errors import BadRoom
from tonegap.tones import GROUPS, TYPES

DATASET_FILE = "dataset.toml"
BENCHMARKS = "benchmarks"
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
COLOUR = 1 << 24  # in a mask's pixel: a colour, and no level
STEM = ".stem"  # "{file.stem}": the cell of the column `file` without its suffix
_ID = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")
# What a drawn data set writes, and so what its `columns` may name.
DRAWN_COLUMNS = ("image_id", "label", "tone", "malignant", "half")


class MetadataColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column that a task may use; the key of its table is its canonical name.

    `names`: other headers it has had in released files. `cells`: canonical cell -> spellings; where
    given, any other cell is an error (an empty one aside).
    """

    names: tuple[str, ...] = ()
    optional: bool = False
    cells: dict[str, tuple[str, ...]] = {}


class Schema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A historical layout of the metadata: the first whose `headers` are all there names it."""

    name: str
    headers: tuple[str, ...]


class ToneAxis(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One annotation of tone; `unknown` are the cells that mean that nobody could tell.

    `second` names the axis of another annotation of the same images, that gaps are shown under as well.
    """

    column: str
    unknown: tuple[str, ...] = ()
    labelled_by: str = ""
    second: str = ""


class Malignant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which cells of which column say that a lesion is malignant."""

    column: str
    values: tuple[str, ...]


class PublishedCounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The counts that the source reported; `ids_sha256` is of the sorted ids, one a line."""

    source: str
    rows: int
    distinct: dict[str, int] = {}
    counts: dict[str, dict[str, int]] = {}
    empty: dict[str, int] = {}
    ids_sha256: str = ""
    order_sha256: str = ""  # of the ids in the order of the released file


class DrawnHalf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a drawn data set with tone shares of its own; shares are weights."""

    images: int
    tones: dict[str, float]


class PhantomDeclaration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A data set that the suite draws itself; `labels` maps each label to whether it is malignant."""

    seed: int
    size_px: int
    id_prefix: str
    labels: dict[str, bool]
    halves: dict[str, DrawnHalf]


MaskKind = Literal["background", "lesion", "marker", "ruler", "skin"]


class DatasetFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`dataset.toml` as written, see benchmarks/README.md.

    `url`, `published_on` (ISO 8601), `labelled_by` and `limitations` are for descriptions; empty: not known.
    """

    title: str
    source: str
    licence: str
    access: str
    metadata: tuple[str, ...]  # names that the metadata CSV has had
    id_column: str
    label_column: str
    file_names: tuple[str, ...]  # of an image, as patterns over columns: "{md5hash}.jpg"
    columns: dict[str, MetadataColumn]
    tones: dict[str, ToneAxis]
    # Of masks, relative to the folder of the image or to the root; a drawn data set that declares them gets them drawn.
    masks: tuple[str, ...] = ()
    # What a level or colour ("#ff0000") of a mask means; empty: 0 to 4 in this order, or 0 and 255 (lesion).
    mask_values: dict[MaskKind, tuple[int | str, ...]] = {}
    # Masks are of other proportions than their images and mean the whole image.
    mask_stretched: bool = False
    # Folders below the root that hold the images, as patterns ("imgs_part_*"); empty: the one that holds most.
    image_folders: tuple[str, ...] = ()
    # Columns whose equal cells say that images belong together (patient, lesion).
    groups: tuple[str, ...] = ()
    schemas: tuple[Schema, ...] = ()
    malignant: Malignant | None = None
    published: PublishedCounts | None = None
    drawn: PhantomDeclaration | None = None
    url: str = ""  # of a page or paper about it
    published_on: str = ""
    labelled_by: str = ""
    limitations: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set: its id (the folder's name), its folder and what its file declares."""

    id: str
    folder: Path
    file: DatasetFile


def dataset_ids(root: Path) -> list[str]:
    """Sorted ids of the data sets of a suite root: folders that hold `dataset.toml`."""
    return sorted(path.parent.name for path in (root / BENCHMARKS).glob(f"*/{DATASET_FILE}"))


def read_dataset(root: Path, dataset_id: str) -> Dataset:
    """The data set of a suite root.

    Raises BadRoom for an unknown id (naming those there are) or a file that contradicts itself.
    """
    if dataset_id not in dataset_ids(root):
        known = ", ".join(dataset_ids(root)) or "none"
        raise BadRoom(f"{root / BENCHMARKS}: no data set {dataset_id!r}; there are: {known}")
    return read_dataset_folder(root / BENCHMARKS / dataset_id)


def read_dataset_folder(folder: Path) -> Dataset:
    """The data set that a folder declares, inside a suite root or not. Raises BadRoom."""
    path = folder / DATASET_FILE
    file = read_toml(path, DatasetFile)
    dataset = Dataset(id=folder.resolve().name, folder=folder, file=file)
    problems = dataset_problems(dataset)
    if problems:
        raise BadRoom(f"{path}: {problems[0]}")
    return dataset


def dataset_problems(dataset: Dataset) -> list[str]:
    """Every contradiction inside a data set's declaration, one sentence each."""
    file = dataset.file
    found = []
    if not _ID.fullmatch(dataset.id):
        found.append("the folder's name must be lower-case words joined by hyphens")
    lists = {"metadata": file.metadata, "file_names": file.file_names, "tones": file.tones}
    found += [f"{key}: empty, wanted at least one" for key, value in lists.items() if not value]
    for where, column in _named_columns(file):
        if column not in file.columns:
            known = ", ".join(file.columns) or "none"
            found.append(f"{where}: no column {column!r}; declared are: {known}")
    found.extend(_mask_problems(file))
    if file.drawn is not None:
        found.extend(f"drawn.{text}" for text in _drawn_problems(file.drawn))
        found.extend(_drawn_names(file))
    return found


def _named_columns(file: DatasetFile) -> list[tuple[str, str]]:
    """(where, column) for every place of the file that names a column."""
    named = [("id_column", file.id_column), ("label_column", file.label_column)]
    named += [("groups", column) for column in file.groups]
    named += [(f"tones.{name}", axis.column) for name, axis in file.tones.items()]
    for key, patterns in (("file_names", file.file_names), ("masks", file.masks)):
        named += [(key, column_of(name, file)) for p in patterns for name in PLACEHOLDER.findall(p)]
    if file.malignant is not None:
        named.append(("malignant", file.malignant.column))
    if file.published is not None:
        counted = (*file.published.distinct, *file.published.counts, *file.published.empty)
        named += [("published", column) for column in counted]
    return named


def column_of(placeholder: str, file: DatasetFile) -> str:
    """The column that a placeholder of a file name is filled from."""
    return placeholder if placeholder in file.columns else placeholder.removesuffix(STEM)


def _mask_problems(file: DatasetFile) -> Iterator[str]:
    if (file.mask_values or file.mask_stretched) and not file.masks:
        yield "mask_values or mask_stretched without masks; wanted masks, the patterns of their names"
    meant: dict[int, str] = {}
    for kind, values in file.mask_values.items():
        for value in values:
            try:
                level = mask_level(value)
            except ValueError as e:
                yield f"mask_values.{kind}: {e}"
                continue
            if meant.setdefault(level, kind) != kind:
                yield f"mask_values: {value!r} is both {meant[level]} and {kind}"


def mask_level(value: int | str) -> int:
    """The number of a mask's pixel for a value as declared: a level, or a colour "#rrggbb". Raises ValueError.

    A colour is 1 << 24 and its red, green and blue; one without hue is its level.
    """
    if isinstance(value, int) and 0 <= value <= 65_535:
        return value
    digits = re.fullmatch(r"#([0-9A-Fa-f]{6})", str(value))
    if digits is None:
        raise ValueError(
            f"{value!r} is neither a level (0 to 65535) nor a colour such as '#ff0000'"
        )
    red, green, blue = bytes.fromhex(digits[1])
    return red if red == green == blue else COLOUR | int(digits[1], 16)


def _drawn_names(file: DatasetFile) -> list[str]:
    """What a drawn data set declares and the drawing would not write."""
    found = [
        f"columns: {name!r} is never drawn; drawn are {', '.join(DRAWN_COLUMNS)}"
        for name in file.columns
        if name not in DRAWN_COLUMNS
    ]
    for pattern in file.masks if file.file_names else ():
        wanted = f"masks/{PurePosixPath(file.file_names[0]).with_suffix('.png')}"
        if pattern != wanted:
            found.append(f"masks: {pattern!r} is never drawn; the drawing writes {wanted!r}")
    return found


def _drawn_problems(drawn: PhantomDeclaration) -> list[str]:
    found = []
    if not 16 <= drawn.size_px <= 2048:
        found.append(f"size_px: {drawn.size_px}; wanted 16 to 2048")
    if not drawn.labels:
        found.append("labels: empty, wanted at least one")
    if not drawn.halves:
        found.append("halves: empty, wanted at least one")
    for name, half in drawn.halves.items():
        unknown = [tone for tone in half.tones if tone not in TYPES + GROUPS]
        if unknown:
            found.append(f"halves.{name}.tones: {unknown[0]!r} is no skin tone")
        if (
            half.images < 1
            or min(half.tones.values(), default=0) < 0
            or not any(half.tones.values())
        ):
            found.append(f"halves.{name}: wanted images >= 1 and tone shares >= 0, not all 0")
    return found
