"""Handles files of strangers: walks folders without following a link, measures and removes them, bounds memory.

The mistake it exists to prevent: content that breaks whoever looks at it, by nesting deeper than
a program can recurse, by unpacking to more than the memory holds, or by a name that rewrites the
reader's terminal.
"""

import contextlib
import csv
import os
import re
import shutil
import stat
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tonegap.errors import BadOutput, BadRequest, ToneGapError
from tonegap.lines import one_line

MAX_DEPTH = 64
_PATH = re.compile(r"(?<![\w.])(?:/[^/\s:;,'\"()]+){2,}")
# What libraries raise over damaged or hostile bytes. ValueError, LookupError, … of Arrow, NumPy and JSON are among
# them; RuntimeError has RecursionError, and what `zipfile` says of a password or an unknown compression.
DAMAGE = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    csv.Error,
    msgspec.MsgspecError,
    zipfile.BadZipFile,
    zlib.error,
)
_LEAST_BYTES = 4096  # an empty file or folder takes room on a disk too


def walk(folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    """Everything below a folder with its own status (a link's, not its target's), folders first.

    What vanishes meanwhile is left out. Raises BadOutput for folders nested deeper than 64, and for
    one that cannot be read.
    """
    waiting = [(folder, 1)]
    while waiting:
        parent, depth = waiting.pop()
        if depth > MAX_DEPTH:
            where = shown(parent.relative_to(folder))
            raise BadOutput(f"{where[:80]}…: folders nested deeper than {MAX_DEPTH}")
        for path, status in _listing(parent, folder):
            yield path, status
            if stat.S_ISDIR(status.st_mode):
                waiting.append((path, depth + 1))


def _listing(parent: Path, folder: Path) -> Iterator[tuple[Path, os.stat_result]]:
    try:
        with os.scandir(parent) as entries:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):
                    yield Path(entry.path), entry.stat(follow_symlinks=False)
    except FileNotFoundError:
        return
    except OSError as e:
        where = shown(parent.relative_to(folder))
        raise BadOutput(f"{where}/: cannot be read: {e.strerror}") from None


def is_plain_folder(path: Path) -> bool:
    """Whether a folder is there, and no link to one."""
    return path.is_dir() and not path.is_symlink()


def shown(path: Path) -> str:
    """A path as one line."""
    return one_line(path.as_posix())


@contextlib.contextmanager
def refused(what: str) -> Iterator[None]:
    """Turns whatever a library raises over a stranger's bytes into BadRequest: one sentence about `what`."""
    try:
        yield
    except ToneGapError:
        raise
    except DAMAGE as e:
        raise BadRequest(f"{what}: damaged, or not what it should be ({reason(e)})") from None


def reason(error: BaseException) -> str:
    """What an exception says, as a short part of a sentence; its kind where it says nothing."""
    if isinstance(error, MemoryError):
        return "it needs far more memory than its size allows"
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    text = " ".join(str(error).split()) or type(error).__name__
    return one_line(text[:200])


@contextlib.contextmanager
def bounded_memory(n_bytes: int) -> Iterator[None]:
    """Lets the process take so many more bytes of address space, no more; a MemoryError is what comes of it.

    The last bound behind limits that are read from a file's own words: those may lie. The limit is the whole
    process's, so it is for commands that do one thing, not for the threads of a runner.
    """
    import fairlearn.metrics  # noqa: F401 - what scores are made with, before its code counts against the limit
    import pyarrow as pa
    import scipy.sparse.csgraph  # noqa: F401
    import scipy.special  # noqa: F401

    taken = Path("/proc/self/statm")
    if not taken.exists():  # no Linux, where this limit is not kept either
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(taken.read_text(encoding="ascii").split()[0])
    most = pages * resource.getpagesize() + n_bytes
    before = pa.default_memory_pool()
    # Other pools reserve far more than they use.
    pa.set_memory_pool(pa.system_memory_pool())
    resource.setrlimit(resource.RLIMIT_AS, (most if soft < 0 else min(soft, most), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))
        pa.set_memory_pool(before)


def without_folders(text: str, *known: Path) -> str:
    """A message as a report or a bundle may carry it: files of this machine by what their path is below `known`.

    A path that is not below them keeps its last part. Paths that are none on this machine stay, such as `/in/job.json`.
    """
    for folder in known:
        for spelled in sorted(
            {str(folder), str(folder.absolute()), str(folder.resolve())}, key=len
        )[::-1]:
            text = text.replace(f"{spelled}/", "")
    return _PATH.sub(_last_part, text)


def _last_part(match: re.Match[str]) -> str:
    path = Path(match[0])
    try:
        here = path.parent != Path("/") and path.parent.is_dir()
    except OSError:
        here = False
    return path.name if here else match[0]


def written_bytes(folder: Path) -> int:
    """Bytes that a folder's content takes or will take: holes count, and so does what is empty."""
    return sum(
        max(status.st_size, getattr(status, "st_blocks", 0) * 512, _LEAST_BYTES)
        for _path, status in walk(folder)
    )


def remove_tree(folder: Path) -> None:
    """Removes a folder and all in it, whatever its modes and however deep; what cannot go stays.

    Of a link in the folder's place the link alone goes.
    """
    if folder.is_symlink():
        folder.unlink()
        return
    try:
        waiting = [folder]
        while waiting:
            parent = waiting.pop()
            waiting += [_moved_up(entry, folder) for entry in _emptied(parent)]
            if parent != folder:
                parent.rmdir()
        folder.rmdir()
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)


def _emptied(folder: Path) -> list[Path]:
    """The folders in a folder, once everything else in it is gone."""
    with os.scandir(folder) as found:
        entries = list(found)
    for entry in entries:
        if not entry.is_dir(follow_symlinks=False):
            Path(entry.path).unlink()
    return [Path(entry.path) for entry in entries if entry.is_dir(follow_symlinks=False)]


def _moved_up(path: Path, folder: Path) -> Path:
    """The same folder, open to its owner, right below another: so no path ever gets too long."""
    path.chmod(0o700)
    return path.rename(folder / uuid.uuid4().hex)
