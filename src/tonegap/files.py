"""Bytes on disk: digests, canonical JSON, and writes that are whole or did not happen.

The mistake it exists to prevent: a file cut short by a crash that is later read as a result.
"""

import contextlib
import csv
import errno
import hashlib
import io
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import IO, Any

import msgspec

from tonegap.errors import BadData

_SYNC_EACH = 1000
_HALF_WRITTEN = re.compile(r"\..+\.[a-z0-9_]{8}")  # as `tempfile` ends a name
_NOT_CONTENT = frozenset({"__pycache__", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".git"})


def is_there(path: Path) -> bool:
    """Whether something has that name, a link that leads nowhere included: that is damage, no absence."""
    return os.path.lexists(path)


def is_below(name: str) -> bool:
    """Whether a path that somebody's table or file names stays in the folder that it is relative to."""
    path = PurePosixPath(name)
    return bool(path.parts) and ".." not in path.parts and not path.is_absolute()


def status_of(path: Path) -> os.stat_result:
    """The status of a file or folder, to be asked for before a user's file is opened.

    Raises OSError where there is none, and for a pipe, a socket or a device: reading those waits, or never ends.
    """
    status = path.stat()
    if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
        kind = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket"}.get(stat.S_IFMT(status.st_mode))
        raise OSError(errno.EINVAL, f"it is {kind or 'a device'}, wanted a file", str(path))
    return status


def sha256_bytes(content: bytes) -> str:
    """Hex SHA-256 of bytes."""
    return hashlib.sha256(content).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex SHA-256 of a file's content. Raises OSError, as `status_of` does."""
    status_of(path)
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def sha256_lines(lines: Iterable[str]) -> str:
    """Hex SHA-256 of the lines, each ended by LF, as UTF-8: the digest of an id list in a file."""
    digest = hashlib.sha256()
    for line in lines:
        digest.update(line.encode() + b"\n")
    return digest.hexdigest()


def content_files(folder: Path) -> list[Path]:
    """Every regular file below a folder that is content (no caches), sorted by relative path.

    Raises BadData for a link to a folder, whose files nobody would see, and for one that leads nowhere.
    """
    found = []
    for path in folder.rglob("*"):
        if _NOT_CONTENT.intersection(path.relative_to(folder).parts) or path.suffix == ".pyc":
            continue
        if path.is_file():
            found.append(path)
        elif path.is_symlink():
            raise BadData(f"{path}: a link to a folder, or to nothing; put there what it points to")
    return sorted(found, key=lambda p: p.relative_to(folder).as_posix())


def folder_digest(folder: Path) -> str:
    """Hex SHA-256 over relative paths and contents of a folder; times, modes and caches left out."""
    return sha256_lines(
        f"{path.relative_to(folder).as_posix()}\0{sha256_file(path)}"
        for path in content_files(folder)
    )


def canonical_json(value: Any) -> bytes:
    """JSON with sorted keys, no spaces and no NaN: equal values give equal bytes."""
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=False
    )
    return text.encode()


def readable_json(value: Any) -> bytes:
    """JSON for people, a file of the store's: sorted keys, indented by one; equal values give equal bytes."""
    return msgspec.json.format(msgspec.json.encode(value, order="sorted"), indent=1) + b"\n"


def csv_bytes(header: Iterable[str], rows: Iterable[Iterable[Any]]) -> bytes:
    """A table as UTF-8 CSV with LF line ends, quoted only where CSV needs it."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows((header, *rows))
    return text.getvalue().encode()


def digest_of(value: Any) -> str:
    """Hex SHA-256 of a value's canonical JSON."""
    return sha256_bytes(canonical_json(value))


def write_atomic(path: Path, content: bytes) -> None:
    """Writes a whole file or nothing: beside it, synced, then renamed over it, and the folder synced."""
    write_pieces_atomic(path, (content,))
    sync(path.parent)


def sync(path: Path) -> None:
    """Returns when the disk has a file's content, or a folder's names; at once on Windows. Raises OSError."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as e:
        if e.errno != errno.EINVAL:  # a file system that cannot sync a folder
            raise
    finally:
        os.close(handle)


def take_lock(file: IO[str] | int, *, wait: bool) -> bool:
    """Whether this process has the lock of an open file, until it closes it or dies; waits for it if `wait`."""
    import fcntl  # not on Windows, where nothing is locked that works there

    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    return True


def sync_tree(folder: Path) -> None:
    """As `sync`, for a folder and all below it; no link is followed."""
    found = [path for path in folder.rglob("*") if path.is_dir() or path.is_file()]
    if len(found) > _SYNC_EACH:
        os.sync()  # one by one takes minutes
        return
    for path in (*found, folder):
        if not path.is_symlink():
            sync(path)


def write_pieces_atomic(path: Path, pieces: Iterable[bytes]) -> None:
    """As `write_atomic`, for a file that comes bit by bit, and without the folder: for what can be made again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as f:
            f.writelines(pieces)
            f.flush()
            os.fsync(f.fileno())
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def clear_half_written(paths: Iterable[Path]) -> None:
    """Removes what processes that were killed while they wrote these files left beside them."""
    names: dict[Path, set[str]] = {}
    for path in paths:
        names.setdefault(path.parent, set()).add(path.name)
    for folder, written in names.items():
        for name in os.listdir(folder):  # noqa: PTH208 - 10,000 names, no Paths
            if name.startswith(".") and name[1:].rpartition(".")[0] in written:
                (folder / name).unlink(missing_ok=True)


def remove_contents(folder: Path) -> None:
    """Removes all that a folder holds, which was made and cannot be made whole; a folder that is not there is empty."""
    for path in folder.iterdir() if folder.is_dir() else ():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def clear_abandoned(folder: Path, older_s: float = 3600.0) -> None:
    """Removes what processes that were killed while they wrote any file of a folder left there.

    A write takes moments: what is younger may be one of a process that lives. A folder that is not there has none.
    """
    latest = time.time() - older_s
    with contextlib.suppress(OSError):
        for name in os.listdir(folder):  # noqa: PTH208 - 10,000 names, no Paths
            if _HALF_WRITTEN.fullmatch(name) and (folder / name).lstat().st_mtime < latest:
                (folder / name).unlink(missing_ok=True)
