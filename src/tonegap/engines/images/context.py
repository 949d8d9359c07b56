"""A build context: named files as a tar archive whose bytes depend on nothing but names and content.

The mistake it exists to prevent: an image that differs because a file was copied on another day.
"""

from collections.abc import Mapping
from pathlib import Path

from tonegap.engines.images.tarring import Sink, write_files
from tonegap.errors import EngineError
from tonegap.files import content_files


def folder_context(folder: Path) -> dict[str, Path]:
    """The content files of a folder by their name in a context.

    Raises EngineError for a link: what it points at is no part of the folder.
    """
    named = {}
    for path in content_files(folder):
        if path.is_symlink():
            raise EngineError(f"{path}: is a link; put the file itself there, images take no links")
        named[path.relative_to(folder).as_posix()] = path
    return named


def context_sha256(files: Mapping[str, Path]) -> str:
    """Hex SHA-256 of the archive of these files."""
    sink = Sink()
    write_files(sink, files)
    return sink.digest.removeprefix("sha256:")
