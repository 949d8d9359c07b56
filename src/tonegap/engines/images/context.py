"""A build context: named files as a tar archive whose bytes depend on nothing but names and content.

The mistake it exists to prevent: an image that differs because a file was copied on another day.
"""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, cast

from tonegap.engines.images.tarring import add_stream
from tonegap.errors import EngineError
from tonegap.files import content_files


def folder_context(folder: Path, below: str = "") -> dict[str, Path]:
    """The content files of a folder by their name in a context (under `below`, if given).

    Raises EngineError for a link: what it points at is no part of the folder.
    """
    named = {}
    for path in content_files(folder):
        if path.is_symlink():
            raise EngineError(f"{path}: is a link; put the file itself there, images take no links")
        name = path.relative_to(folder).as_posix()
        named[f"{below}/{name}" if below else name] = path
    return named


def write_context(files: Mapping[str, Path], out: BinaryIO) -> None:
    """Writes the archive: sorted by name, no times, owner root, modes 644 or 755."""
    with tarfile.open(fileobj=out, mode="w|", format=tarfile.GNU_FORMAT) as archive:
        for name, path in sorted(files.items()):
            status = path.stat()
            mode = 0o755 if status.st_mode & 0o100 else 0o644
            with path.open("rb") as content:
                add_stream(archive, name, content, status.st_size, mode)


def context_sha256(files: Mapping[str, Path]) -> str:
    """Hex SHA-256 of the archive that `write_context` writes."""
    sink = _HashSink()
    write_context(files, cast(BinaryIO, sink))
    return sink.digest.hexdigest()


class _HashSink(io.RawIOBase):
    """A file that keeps nothing but the digest of what is written to it."""

    def __init__(self) -> None:
        super().__init__()
        self.digest = hashlib.sha256()

    def write(self, content: object, /) -> int:
        """Takes bytes; gives how many."""
        chunk = bytes(cast(bytes, content))
        self.digest.update(chunk)
        return len(chunk)
