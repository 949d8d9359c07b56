"""Holds what a synthetic image descends from: its sources, and those of every learned part it was made with.

`model/lineage.json` is a method's own word, checked against what it left; `lineage.json` of a generate stage is the
engine's, and all that a later audit of the ancestors needs. The mistake it exists to prevent: a test image that reaches
training by way of a fine-tuned model.
"""

from collections.abc import Collection
from pathlib import Path, PurePosixPath

import msgspec

from tonegap.errors import BadOutput
from tonegap.files import sha256_file

SCHEMA = "tonegap/lineage@1"
FILE = "lineage.json"
# The part that stands for a whole `fit` which named none: made from all that the stage saw.
WHOLE_FIT = "fit"
# In place of sources: nobody says what the image was made from.
UNKNOWN_SOURCE = "?"
_MAX_BYTES = 1 << 30
_HEX = frozenset("0123456789abcdef")


class LearnedPart(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A learned part: its file below `model/`, the file's digest, the real ids it was trained on; "?": nobody says."""

    file: str
    sha256: str
    sources: tuple[str, ...]


class _LineageFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`model/lineage.json` as a fit stage leaves it."""

    schema: str
    parts: dict[str, LearnedPart]


def read_parts(model: Path) -> dict[str, LearnedPart]:
    """The learned parts of a fit stage's `model/`, by name; none where it names none.

    Raises BadOutput where the file is not as docker/CONTRACT.md wants it.
    """
    path, where = model / FILE, f"model/{FILE}"
    if not path.is_file():
        return {}
    try:
        if path.stat().st_size > _MAX_BYTES:
            raise BadOutput(f"{where}: more than 1 GiB")
        found = msgspec.json.decode(path.read_bytes(), type=_LineageFile)
    except (OSError, msgspec.DecodeError) as e:
        raise BadOutput(f"{where}: not a lineage: {e}") from None
    if found.schema != SCHEMA:
        raise BadOutput(f"{where}: found schema {found.schema!r}, wanted {SCHEMA!r}")
    for name in found.parts:
        if not name or name.split() != [name] or not name.isprintable():
            raise BadOutput(f"{where}: part {name!r}: wanted a name without blanks")
    return found.parts


def check_lineage(model: Path, seen: Collection[str]) -> None:
    """Raises BadOutput unless every part is the file it says, trained on images that the stage saw."""
    ids = frozenset(seen)
    for name, part in read_parts(model).items():
        where = f"model/{FILE}: part {name!r}"
        below = PurePosixPath(part.file)
        if not below.parts or ".." in below.parts or below.is_absolute():
            raise BadOutput(f"{where}: file {part.file!r} is not a path below model/")
        path = model / below
        if not path.is_file():
            raise BadOutput(f"{where}: there is no file {part.file!r} below model/")
        if len(part.sha256) != 64 or not _HEX.issuperset(part.sha256):
            raise BadOutput(f"{where}: sha256 {part.sha256[:80]!r} is none")
        if sha256_file(path) != part.sha256:
            raise BadOutput(f"{where}: {part.file} has another sha256 than it says")
        if not part.sources:
            raise BadOutput(f"{where}: no sources; it must name every image it was trained on")
        unknown = [s for s in part.sources if s not in ids and s != UNKNOWN_SOURCE]
        if unknown:
            raise BadOutput(
                f"{where}: sources names {unknown[0]!r}, which is no training image of this job"
            )


class SyntheticLineage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`lineage.json` of a generate stage: for each image, in order, its id, content hash, sources and parts."""

    schema: str
    image_ids: tuple[str, ...]
    sha256: tuple[str, ...]
    sources: tuple[tuple[str, ...], ...]
    models: tuple[tuple[str, ...], ...]
    parts: dict[str, LearnedPart]

    def ancestors(self, row: int) -> tuple[str, ...]:
        """Real ids that an image descends from, sorted: its sources and those of its parts."""
        found = set(self.sources[row])
        for name in self.models[row]:
            found.update(self.parts[name].sources)
        return tuple(sorted(found))


def encode_lineage(lineage: SyntheticLineage) -> bytes:
    """The lineage as JSON: equal lineages give equal bytes."""
    return msgspec.json.encode(lineage, order="sorted") + b"\n"


def read_lineage(made: Path) -> SyntheticLineage:
    """The lineage of a finished generate stage's folder. Raises BadOutput where it is damaged."""
    try:
        return msgspec.json.decode((made / FILE).read_bytes(), type=SyntheticLineage)
    except (OSError, msgspec.DecodeError) as e:
        raise BadOutput(f"{made / FILE}: damaged ({e}); remove {made} and run again") from None


def whole_fit(seen: Collection[str]) -> dict[str, LearnedPart]:
    """The one part of a fit stage that named none: it stands for all that the stage saw."""
    return {WHOLE_FIT: LearnedPart("", "", tuple(sorted(seen)))}
