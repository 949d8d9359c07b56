"""Members of tar archives whose bytes depend on names and content only: no times, owner root."""

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any, cast

from tonegap.errors import EngineError

_COPY = 1 << 20


class Sink:
    """Hashes what is written to it, and writes it on if there is something to write to."""

    def __init__(self, out: IO[bytes] | None = None) -> None:
        self._out = out
        self._digest = hashlib.sha256()
        self.size = 0

    def write(self, content: bytes) -> int:
        """Takes bytes; gives how many."""
        self._digest.update(content)
        self.size += len(content)
        return len(content) if self._out is None else self._out.write(content)

    @property
    def digest(self) -> str:
        """`sha256:…` of what was written."""
        return f"sha256:{self._digest.hexdigest()}"


def add_stream(
    archive: tarfile.TarFile, name: str, content: IO[bytes], size: int, mode: int = 0o644
) -> None:
    """Adds `size` bytes as a file."""
    member = tarfile.TarInfo(name)
    member.size = size
    member.mode = mode
    archive.addfile(member, content)


def add_bytes(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    """Adds bytes as a file."""
    add_stream(archive, name, io.BytesIO(content), len(content))


def add_folder(archive: tarfile.TarFile, name: str) -> None:
    """Adds a folder's own member."""
    member = tarfile.TarInfo(name)
    member.type, member.mode = tarfile.DIRTYPE, 0o755
    archive.addfile(member)


def stream_archive(out: Any) -> tarfile.TarFile:
    """An archive to be written to anything that has `write`, from its beginning to its end."""
    return tarfile.open(  # to be closed by who asked for it
        fileobj=cast(IO[bytes], out), mode="w|", format=tarfile.GNU_FORMAT, bufsize=_COPY
    )


def write_files(out: Any, files: Mapping[str, Path | bytes]) -> None:
    """Writes a layer or a build context: files sorted by their name inside, folders first, modes 644 or 755.

    Raises EngineError for a link: what it points at is no part of a layer.
    """
    folders: set[str] = set()
    with stream_archive(out) as archive:
        for name, source in sorted((name.lstrip("/"), source) for name, source in files.items()):
            parts = name.split("/")[:-1]
            for depth in range(1, len(parts) + 1):
                folder = "/".join(parts[:depth])
                if folder not in folders:
                    folders.add(folder)
                    add_folder(archive, folder)
            if isinstance(source, bytes):
                add_bytes(archive, name, source)
                continue
            if source.is_symlink():
                raise EngineError(f"{source}: is a link; layers are written from files alone")
            status = source.stat()
            mode = 0o755 if status.st_mode & 0o100 else 0o644
            with source.open("rb") as content:
                add_stream(archive, name, content, status.st_size, mode)
