"""A published list of which image is in which partition, as a CSV with image_id and partition."""

from collections.abc import Mapping
from pathlib import Path

from tonegap.data.metadata import Metadata, first_three
from tonegap.data.table import read_table
from tonegap.errors import BadData
from tonegap.files import status_of
from tonegap.split.parts import PARTITIONS, SplitAssignment

_COLUMNS = ("image_id", "partition")


def read_list(path: Path, metadata: Metadata) -> dict[str, str]:
    """The partition of each listed image. Raises BadData for another table, and for ids that the metadata lacks."""
    try:
        status_of(path)
        table = read_table(path, path.read_bytes())
    except OSError as e:
        raise BadData(f"{path}: cannot be read: {e.strerror}") from None
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
