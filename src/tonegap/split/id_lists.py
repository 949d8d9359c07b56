"""Lists of ids from a CSV: a published partition, and images that a user leaves out of one.

The split stays the published one; images that are left out are unused afterwards. The mistake it exists to prevent: a
cleaned result that passes for one on the whole task.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from unicodedata import normalize

from tonegap.data.csv_table import read_content, read_table
from tonegap.data.image_names import Names, image_names
from tonegap.data.metadata import Metadata, first_three
from tonegap.declared.dataset import Dataset
from tonegap.errors import BadData, BadSplit
from tonegap.files import sha256_bytes
from tonegap.formats.record import Exclusion
from tonegap.split.parts import PARTITIONS, SplitAssignment

_WANTED = "wanted ids, one per line or in a column image_id"


@dataclass(frozen=True, slots=True)
class IdList:
    """A file of ids as read: where it lies, its SHA-256 and the listed names, each once."""

    path: Path
    sha256: str
    listed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedImages:
    """The images of a data set that a list names, and those of its names that are none of the data set's."""

    of: IdList
    ids: frozenset[str]
    unknown: tuple[str, ...]


def read_id_list(path: Path, dataset: Dataset) -> IdList:
    """The ids of a list: a CSV's column `image_id` or the data set's id column, or one id a line.

    Raises BadData for a file that cannot be read, and for a table without such a column.
    """
    content = read_content(path)
    wanted = ("image_id", dataset.file.id_column)
    first, _, others = content.strip().partition(b"\n")
    cells = re.split(rb"[;\t|]", first.strip(b"\r\xef\xbb\xbf"))
    is_table = b"," in first or (len(cells) > 1 and any(n.encode() in cells for n in wanted))
    if b"," in first and not others:
        raise BadData(f"{path}: found one line of several columns; {_WANTED}")
    table = read_table(path, content, () if is_table else wanted[:1])
    here = [table.header.index(name) for name in wanted if name in table.header]
    if not here:
        raise BadData(
            f"{path}: no column {' or '.join(dict.fromkeys(wanted))}; found {', '.join(table.header)}, {_WANTED}"
        )
    names = (row[here[0]].strip() for row in table.rows)
    listed = tuple(dict.fromkeys(name for name in names if name and name not in wanted))
    if not listed:
        raise BadData(f"{path}: found no id; {_WANTED}")
    return IdList(path, sha256_bytes(content), listed)


def listed_images(
    lists: Sequence[IdList], dataset: Dataset, metadata: Metadata
) -> tuple[ListedImages, ...]:
    """What each list names of a data set; an image may be listed by its id or by its file's name or path.

    A file's name is that of the download: the rules by which images are found there hold here.
    Raises BadData for a list of which no image is the data set's.
    """
    if not lists:
        return ()
    spelled: dict[str, str] = {}
    for image_id in metadata.ids:
        spelled.setdefault(normalize("NFC", image_id), image_id)
    spelled.update({i: i for i in metadata.ids})
    parts = {part.dataset.id: part for part in metadata.parts}
    files = {name: Names(image_names(p.dataset, p.metadata)) for name, p in parts.items()}
    files = files or {"": Names(image_names(dataset, metadata))}
    found = []
    for ids in lists:
        image_of = {
            name: spelled.get(name) or spelled.get(normalize("NFC", name)) or _of_file(name, files)
            for name in ids.listed
        }
        known = frozenset(image_id for image_id in image_of.values() if image_id)
        unknown = tuple(name for name, image_id in image_of.items() if not image_id)
        if not known:
            raise BadData(
                f"{ids.path}: none of {len(ids.listed):,} listed ids is one of {metadata.path} (first: "
                f"{first_three(unknown)}); wanted ids as the metadata spells them, or names of files"
            )
        found.append(ListedImages(ids, known, unknown))
    return tuple(found)


def _of_file(name: str, files: Mapping[str, Names]) -> str | None:
    """The one image that a file of this name or path may be, or None; the folder of a joined data set decides."""
    path = name.replace("\\", "/")
    named = [data_set for data_set in files if data_set in path.split("/")[:-1]]
    best = set()
    for names in (files[data_set] for data_set in named or files):
        for depth in reversed(names.depths):  # with its folders, where patterns have some
            tail = "/".join(path.split("/")[-depth - 1 :])
            if owners := names.owners(tail):
                first = min(rank for _, rank in owners)
                best |= {image_id for image_id, rank in owners if rank == first}
                break
    return best.pop() if len(best) == 1 else None


def unknown_names(lists: Sequence[ListedImages]) -> list[str]:
    """For each list with names that are none of the data set's a line with the first three."""
    return [
        f"none of the data set's in {images.of.path.name}: {first_three(images.unknown)}"
        for images in lists
        if images.unknown
    ]


def without_listed(
    made: SplitAssignment, lists: Sequence[ListedImages]
) -> tuple[SplitAssignment, tuple[Exclusion, ...]]:
    """The partition with the listed images unused, and what each list took of it.

    Raises BadSplit where a partition is left empty.
    """
    if not lists:
        return made, ()
    pairs = [pair for pair in zip(made.ids, made.parts, strict=True) if pair[1] != "unused"]
    found = []
    for images in lists:
        taken = Counter(part for image_id, part in pairs if image_id in images.ids)
        of, counts = images.of, {part: taken[part] for part in PARTITIONS if taken[part]}
        found.append(
            Exclusion(of.path.name, of.sha256, len(of.listed), len(images.unknown), counts)
        )
    kept = set(made.ids).difference(*(images.ids for images in lists))
    left = replace(made.only(kept), without_tone=tuple(i for i in made.without_tone if i in kept))
    for part, n in left.sizes.items():
        if n == 0 and part != "unused":
            where = " and ".join(str(images.of.path) for images in lists)
            raise BadSplit(f"{where}: without the listed images there is no {part} image left")
    return left, tuple(found)


_COLUMNS = ("image_id", "partition")


def read_list(path: Path, metadata: Metadata) -> dict[str, str]:
    """The partition of each listed image. Raises BadData for another table, and for ids that the metadata lacks."""
    table = read_table(path, read_content(path))
    missing = [name for name in _COLUMNS if name not in table.header]
    if missing:
        found = ", ".join(table.header)
        raise BadData(f"{path}: no column {missing[0]!r}; found {found}, wanted image_id,partition")
    image, part = (table.header.index(name) for name in _COLUMNS)
    listed: dict[str, str] = {}
    for line, row in zip(table.lines, table.rows, strict=True):
        if row[part] not in PARTITIONS:
            raise BadData(
                f"{path}: line {line}: partition is {row[part]!r}; wanted one of {', '.join(PARTITIONS)}"
            )
        if listed.setdefault(row[image], row[part]) != row[part]:
            raise BadData(
                f"{path}: line {line}: {row[image]} is listed in two partitions; wanted one"
            )
    strangers = sorted(set(listed).difference(metadata.ids))
    if strangers:
        raise BadData(
            f"{path}: {len(strangers):,} of {len(listed):,} listed ids are none of {metadata.path} "
            f"(first: {first_three(strangers)}); wanted ids as the metadata spells them"
        )
    return listed


def left_out(listed: Mapping[str, str], made: SplitAssignment) -> list[str]:
    """A line on how many images of a list are unused because the task does not take them; none if it takes all."""
    lost = [i for i in made.members("unused") if listed.get(i, "unused") != "unused"]
    if not lost:
        return []
    return [
        f"listed images without a class of the task, or without a tone that it asks for: {len(lost):,} of "
        f"{len(listed):,} are unused (first: {first_three(lost)})"
    ]
