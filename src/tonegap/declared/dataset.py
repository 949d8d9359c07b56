"""A data set as its folder declares it: `benchmarks/<id>/dataset.toml`.

Everything that is particular to one data set (headers, licence, published counts) is in that file,
so that the engine treats a user's own folder and a famous download alike.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal, get_args

import msgspec

from tonegap.declared.toml import check_known, read_toml
from tonegap.errors import BadSuiteFolder
from tonegap.tones import GROUPS, SCALES, TYPES, Scale

DATASET_FILE = "dataset.toml"
BENCHMARKS = "benchmarks"
DATA_SET = "data_set"  # the column of a joined data set that names where an image is from
PLACEHOLDER = re.compile(r"\{([^{}]+)\}")
COLOUR = 1 << 24  # in a mask's pixel: a colour, and no level
STEM = ".stem"  # "{file.stem}": the cell of the column `file` without its suffix
_ID = re.compile(r"[a-z0-9]+([-_][a-z0-9]+)*")
# What a drawn data set writes, and so what its `columns` may name.
DRAWN_COLUMNS = ("image_id", "label", "tone", "malignant", "half")


class MetadataColumn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One column that a task may use; the key of its table is its canonical name."""

    names: tuple[str, ...] = ()  # other headers it has had in released files
    optional: bool = False  # whether a layout may lack it
    # canonical cell to its spellings; where given, any other cell is an error (an empty one aside)
    cells: dict[str, tuple[str, ...]] = {}


class Schema(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A historical layout of the metadata: the first whose `headers` are all there names it."""

    name: str  # what to call the layout
    headers: tuple[str, ...]  # headers that it has


class ToneAxis(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One annotation of tone: types 1 to 6 or I to VI, groups (12 or I-II, 34, 56), or Monk's 1 to 10."""

    column: str  # the column that has it
    scale: Scale = "fitzpatrick"  # what its cells are
    # what cells that are no tone of the scale mean on it (`fair = "I-II"`)
    words: dict[str, str] = {}
    # cells that mean that nobody could tell; an empty one always does
    unknown: tuple[str, ...] = ()
    labelled_by: str = ""  # who annotated, for descriptions
    # the axis of another annotation of the same images; gaps are shown under it as well
    second: str = ""


class Malignant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which cells of which column say that a lesion is malignant."""

    column: str  # the column that says so
    values: tuple[str, ...]  # its cells that mean malignant


class PublishedCounts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The counts that the source reported, for `data check` and `data show`."""

    source: str  # who reported them
    rows: int  # number of images
    distinct: dict[str, int] = {}  # column to its number of different cells
    counts: dict[str, dict[str, int]] = {}  # column to the count of each cell
    empty: dict[str, int] = {}  # column to its number of empty cells
    ids_sha256: str = ""  # SHA-256 of the sorted ids, one a line
    order_sha256: str = ""  # the same of the ids in the order of the released file


class DrawnHalf(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of a data set of phantoms with tone shares of its own."""

    images: int  # number of images
    tones: dict[str, float]  # tone to its weight


class PhantomDeclaration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A data set of phantoms that the suite makes itself."""

    seed: int  # random seed
    size_px: int  # side of an image in pixels
    id_prefix: str  # what ids begin with
    labels: dict[str, bool]  # label to whether it is malignant
    halves: dict[str, DrawnHalf]  # name to a part with tone shares of its own


class JoinedPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One of the data sets that a joined one is made of; its rows come one after the other's."""

    dataset: str  # its folder in `benchmarks/`, and the folder of its copy below `--root`
    columns: dict[str, str]  # a column here to its column there
    tones: dict[str, str]  # a tone axis here to its axis there
    # a column here to what its cells there are called here; a cell that is not named is an error
    cells: dict[str, dict[str, str]] = {}


MaskKind = Literal["background", "lesion", "marker", "ruler", "skin"]
MASK_KINDS: tuple[str, ...] = get_args(MaskKind)


class DatasetFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`dataset.toml`: how to read a data set's metadata and find its images."""

    title: str  # its name for people
    source: str  # who made it, where it is described
    licence: str  # under what terms it may be used
    access: str  # how somebody else gets a copy
    # names that the metadata CSV may have; the first that is there is read
    metadata: tuple[str, ...]
    id_column: str  # the column of unique ids, taken as text
    label_column: str  # the column of labels that cards and checks show
    # an image's names as patterns over columns, best first: `"{md5hash}.jpg"`; `{file.stem}` is a cell without
    # suffix
    file_names: tuple[str, ...]
    columns: dict[str, MetadataColumn]  # every column that a task may use
    tones: dict[str, ToneAxis]  # annotations of tone by the name of their axis
    # names of lesion masks, as `file_names`, below the image's folder or the root; phantoms get them made
    masks: tuple[str, ...] = ()
    # what a level or a colour (`"#ff0000"`) of a mask means; none: 0 to 4 in the order background, lesion, marker,
    # ruler, skin, or 0 and 255 (lesion)
    mask_values: dict[str, tuple[int | str, ...]] = {}
    # whether masks have other proportions than their images and mean the whole image
    mask_stretched: bool = False
    # folders below the root that hold the images, as patterns (`"imgs_part_*"`); none: the one that holds most
    image_folders: tuple[str, ...] = ()
    # columns whose equal cells say that images belong together (patient, lesion)
    groups: tuple[str, ...] = ()
    # names of released layouts, for messages; the first whose headers are all there
    schemas: tuple[Schema, ...] = ()
    malignant: Malignant | None = None  # which images are malignant, for cards and checks
    published: PublishedCounts | None = None  # counts that the source reported
    # phantoms that the suite makes itself, in place of a download
    drawn: PhantomDeclaration | None = None
    # data sets that this one joins, in place of metadata and file names of its own; the column `data_set` names them
    joined: tuple[JoinedPart, ...] = ()
    part_of: str = ""  # the data set whose images these are some of; both count as one where data sets are counted
    # whether the licence lets pages of results show small copies of images, `source` and `licence` beside them
    images_may_be_shown: bool = False
    url: str = ""  # of a page or paper about it
    published_on: str = ""  # when, as ISO 8601
    labelled_by: str = ""  # who gave the labels
    limitations: tuple[str, ...] = ()  # what a reader should know, a sentence each


@dataclass(frozen=True, slots=True)
class Dataset:
    """A data set: its id (the folder's name), its folder and what its file declares."""

    id: str
    folder: Path
    file: DatasetFile


def dataset_ids(root: Path) -> list[str]:
    """Sorted ids of the data sets of a suite root: folders that hold `dataset.toml`."""
    return sorted(path.parent.name for path in (root / BENCHMARKS).glob(f"*/{DATASET_FILE}"))


def image_sources(root: Path) -> dict[str, str]:
    """Data sets that share images, by name, each with the first of those it is linked to; others are left out.

    A part is linked to its whole (`part_of`), and a joined one to its parts. Raises BadSuiteFolder for a wrong file.
    """
    sources: dict[str, str] = {}
    for one in (read_dataset(root, name) for name in dataset_ids(root)):
        others = (one.file.part_of, *(part.dataset for part in one.file.joined))
        linked = {sources.get(name, name) for name in (one.id, *filter(None, others))}
        moved = {name: min(linked) for name, source in sources.items() if source in linked}
        sources |= moved | dict.fromkeys(linked, min(linked)) if len(linked) > 1 else {}
    return dict(sorted(sources.items()))


def read_dataset(root: Path, dataset_id: str) -> Dataset:
    """The data set of a suite root.

    Raises BadSuiteFolder for an unknown id (naming those there are) or a file that contradicts itself.
    """
    check_known(root / BENCHMARKS, "data set", dataset_id, dataset_ids(root))
    return read_dataset_folder(root / BENCHMARKS / dataset_id)


def dataset_place(dataset_id: str) -> Path:
    """Where a data set is declared, below a suite root."""
    return Path(BENCHMARKS) / dataset_id / DATASET_FILE


def read_dataset_folder(folder: Path) -> Dataset:
    """The data set that a folder declares, inside a suite root or not. Raises BadSuiteFolder."""
    path = folder / DATASET_FILE
    dataset = Dataset(id=folder.resolve().name, folder=folder, file=read_toml(path, DatasetFile))
    for problem in dataset_problems(dataset):
        raise BadSuiteFolder(f"{path}: {problem}")
    return dataset


def dataset_problems(dataset: Dataset) -> Iterator[str]:
    """Every contradiction inside a data set's declaration, one sentence each."""
    file = dataset.file
    if not _ID.fullmatch(dataset.id):
        yield "the folder's name must be lower-case words joined by hyphens"
    own = {"metadata": file.metadata, "file_names": file.file_names}
    if file.joined:
        for key in (key for key, value in own.items() if value):
            yield f"{key}: found one beside joined; wanted []"
        yield from _joined_problems(file)
        own = {}
    for key in (key for key, value in {**own, "tones": file.tones}.items() if not value):
        yield f"{key}: empty, wanted at least one"
    for where, column in _named_columns(file):
        if column not in file.columns:
            known = ", ".join(file.columns) or "none"
            yield f"{where}: no column {column!r}; declared are: {known}"
    yield from _tone_problems(file)
    yield from _mask_problems(file)
    if file.drawn is not None:
        yield from (f"drawn.{text}" for text in _drawn_problems(file.drawn))
        yield from _drawn_names(file)


def _tone_problems(file: DatasetFile) -> Iterator[str]:
    for name, axis in file.tones.items():
        scale = SCALES[axis.scale]
        for word in (word for word, tone in axis.words.items() if tone not in scale):
            yield (
                f"tones.{name}.words: {word!r} is {axis.words[word]!r}; wanted a tone of the scale {axis.scale}: "
                f"{', '.join(scale)}"
            )
        for word in (word for word in axis.words if word in axis.unknown or not word):
            tone = axis.words[word]
            yield f"tones.{name}: {word!r} is both unknown and {tone!r} in words; wanted one of these"


def _joined_problems(file: DatasetFile) -> Iterator[str]:
    """What a part of a joined data set does not say, or says of what is not declared."""
    given = {DATA_SET, file.id_column, *(axis.column for axis in file.tones.values())}
    wanted = {"columns": set(file.columns) - given, "tones": set(file.tones)}
    for part in file.joined:
        for key, names in wanted.items():
            said = set(getattr(part, key))
            if said != names:
                found, asked = (", ".join(sorted(some)) or "none" for some in (said, names))
                yield f"joined {part.dataset}: {key}: found {found}; wanted {asked}"
        for column in set(part.cells).difference(part.columns):
            yield f"joined {part.dataset}: cells: no column {column!r}"
    if DATA_SET not in file.columns:
        yield f"columns: no {DATA_SET!r}, which says where an image of a joined data set is from"
    if len({part.dataset for part in file.joined}) < max(2, len(file.joined)):
        yield "joined: wanted two data sets or more, each once"


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
        if kind not in MASK_KINDS:
            yield f"mask_values: unknown key {kind!r}; wanted {', '.join(MASK_KINDS)}"
        for value in values:
            try:
                level = mask_level(value)
            except ValueError as e:
                yield f"mask_values.{kind}: {e}"
                continue
            if meant.setdefault(level, kind) != kind:
                same = f" (the level {level} is the colour '#{level:02x}{level:02x}{level:02x}'"
                same += f"{', white' if level == 255 else ''})"
                grey = same if level < COLOUR >> 16 else ""
                yield f"mask_values: {value!r} is both {meant[level]} and {kind}{grey}"


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


def _drawn_names(file: DatasetFile) -> Iterator[str]:
    """What a drawn data set declares and the drawing would not write."""
    for name in (name for name in file.columns if name not in DRAWN_COLUMNS):
        yield f"columns: {name!r} is never drawn; drawn are {', '.join(DRAWN_COLUMNS)}"
    for pattern in file.masks if file.file_names else ():
        wanted = f"masks/{PurePosixPath(file.file_names[0]).with_suffix('.png')}"
        if pattern != wanted:
            yield f"masks: {pattern!r} is never drawn; the drawing writes {wanted!r}"


def _drawn_problems(drawn: PhantomDeclaration) -> Iterator[str]:
    if not 16 <= drawn.size_px <= 2048:
        yield f"size_px: {drawn.size_px}; wanted 16 to 2048"
    for key in ("labels", "halves"):
        if not getattr(drawn, key):
            yield f"{key}: empty, wanted at least one"
    for name, half in drawn.halves.items():
        for tone in [tone for tone in half.tones if tone not in TYPES + GROUPS][:1]:
            yield f"halves.{name}.tones: {tone!r} is no skin tone"
        shares = half.tones.values()
        if half.images < 1 or min(shares, default=0) < 0 or not any(shares):
            yield f"halves.{name}: wanted images >= 1 and tone shares >= 0, not all 0"
