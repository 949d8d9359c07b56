"""Members of tar archives whose bytes depend on names and content only: no times, owner root."""

import io
import tarfile
from typing import IO


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
