"""The files of an export or of pages as bytes, by path."""

from collections.abc import Iterable


def contents(files: Iterable[tuple[str, Iterable[bytes]]]) -> dict[str, bytes]:
    return {path: b"".join(pieces) for path, pieces in files}
