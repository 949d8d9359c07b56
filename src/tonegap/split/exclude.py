"""Images that a user's lists leave out of a published split: mislabelled ones, duplicates, images off topic.

The split stays the published one; listed images are unused afterwards. The mistake it exists to prevent: a cleaned
result that passes for one on the whole task.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tonegap.data.metadata import Metadata
from tonegap.data.names import image_names
from tonegap.data.table import read_table
from tonegap.declared.dataset import Dataset
from tonegap.errors import BadData, BadSplit
from tonegap.files import sha256_bytes
from tonegap.formats.record import Exclusion
from tonegap.split.parts import PARTITIONS, SplitAssignment


@dataclass(frozen=True, slots=True)
class IdList:
    """A file of ids as read: where it lies, its SHA-256 and the listed names, each once."""

    path: Path
    sha256: str
    listed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ListedImages:
    """The images of a data set that a list names, and how many of its names are none of the data set's."""

    of: IdList
    ids: frozenset[str]
    n_unknown: int


def read_id_list(path: Path, dataset: Dataset) -> IdList:
    """The ids of a list: a CSV's column `image_id` or the data set's id column, or one id a line.

    Raises BadData for a file that cannot be read, and for a table without such a column.
    """
    try:
        content = path.read_bytes()
    except OSError as e:
        raise BadData(f"{path}: cannot be read: {e.strerror}") from None
    wanted = ("image_id", dataset.file.id_column)
    table = read_table(path, content, wanted[:1] if b"," not in content.split(b"\n", 1)[0] else ())
    here = [table.header.index(name) for name in wanted if name in table.header]
    if not here:
        raise BadData(
            f"{path}: no column {' or '.join(dict.fromkeys(wanted))}; found {', '.join(table.header)}, wanted ids, "
            "one a line or in such a column"
        )
    cells = (row[here[0]].strip() for row in table.rows)
    listed = tuple(dict.fromkeys(cell for cell in cells if cell and cell not in wanted))
    return IdList(path, sha256_bytes(content), listed)


def listed_images(
    lists: Sequence[IdList], dataset: Dataset, metadata: Metadata
) -> tuple[ListedImages, ...]:
    """What each list names of a data set; an image may be listed by its id or by its file's name.

    Raises BadData for a list of which no image is the data set's.
    """
    if not lists:
        return ()
    spelled = {i: i for i in metadata.ids}
    for image_id, names in image_names(dataset, metadata).items():
        for name in names:
            spelled.setdefault(name, image_id)
    found = []
    for ids in lists:
        known = frozenset(spelled[name] for name in ids.listed if name in spelled)
        if not known:
            raise BadData(
                f"{ids.path}: none of {len(ids.listed):,} listed ids is one of {metadata.path}; wanted ids as "
                "the metadata spells them, or names of files"
            )
        found.append(ListedImages(ids, known, sum(name not in spelled for name in ids.listed)))
    return tuple(found)


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
        found.append(Exclusion(of.path.name, of.sha256, len(of.listed), images.n_unknown, counts))
    left = made.only(set(made.ids).difference(*(images.ids for images in lists)))
    for part, n in left.sizes.items():
        if n == 0 and part != "unused":
            where = " and ".join(str(images.of.path) for images in lists)
            raise BadSplit(f"{where}: without the listed images there is no {part} image left")
    return left, tuple(found)
