"""Seals: what a finished file or folder of a store was when it was written, kept apart from it in `seals/`.

A file counts as what it was while its size and time of change are; where they differ, or where a deep look is asked
for, its SHA-256 decides. A unit is a path below the store: a file, or a folder whose entries are sealed one by one.

It guards against damage and careless edits, not against somebody who writes a fitting seal too. The mistake it exists
to prevent: a result that changed on the disk, mistaken for a measured one.
"""

import contextlib
import os
import stat
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import msgspec

from tonegap.errors import StoreError
from tonegap.files import sha256_bytes, sha256_file, sha256_lines, write_pieces_atomic
from tonegap.store.layout import RECORDS, SEALS
from tonegap.untrusted import remove_tree

_FREE = frozenset({"log.txt"})  # entries of a folder that decide nothing
_TRIES, _PAUSE_S = 4, 0.05  # of a reader that may have come between a file and its seal
AGAIN = "`tonegap run` of its suite makes it again"


class Seal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file, or all files of a folder: its SHA-256, and the sizes and times it had when it had that content."""

    sha256: str
    stamp: str


_BROKEN = {"": Seal("", "")}
_DECODER = msgspec.json.Decoder(dict[str, Seal])


def write_seal(store: Path, unit: str, content: Path | None = None) -> None:
    """Seals a unit as it is now; `content`: where it lies before it is renamed to its place. Raises OSError."""
    path = content or store / unit
    names = (n for n in sorted(os.listdir(path)) if n not in _FREE) if path.is_dir() else ("",)  # noqa: PTH208
    places = {name: path / name for name in names}
    _write(store, unit, {n: Seal(_sha256(p), _stamp(str(p))) for n, p in places.items()})


def remove_seal(store: Path, unit: str) -> None:
    """Forgets what a unit was."""
    Path(_path(store, unit)).unlink(missing_ok=True)


def remove_unit(store: Path, unit: str) -> None:
    """Takes away a unit, whatever it has become, and forgets what it was. Raises OSError."""
    path = store / unit
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
    remove_tree(path)
    remove_seal(store, unit)


def sealed_records(store: Path) -> frozenset[str]:
    """The units of records that have a seal: those of a store of an earlier version have none."""
    try:
        names = os.listdir(store / SEALS / RECORDS)  # noqa: PTH208 - 10,000 names, no Paths
    except OSError:
        return frozenset()
    return frozenset(f"{RECORDS}/{name.removesuffix('.json')}" for name in names)


def is_sealed(store: Path, unit: str) -> bool:
    """Whether there is a seal of that unit."""
    return os.path.exists(_path(store, unit))  # noqa: PTH110


def damage(
    store: Path, unit: str, *, deep: bool = False, without: Collection[str] = ()
) -> str | None:
    """What is not as it was in a unit, one clause; None where all is, or where nothing is known of it.

    `without`: entries of a folder that are not looked at.
    """
    kept = _read(store, unit)
    moved = {}
    for name, seal in (kept or {}).items():
        if name in without:
            continue
        path = f"{store}/{unit}/{name}" if name else f"{store}/{unit}"
        try:
            stamp = _stamp(path)
            if stamp == seal.stamp and not deep:
                continue
            if _sha256(Path(path)) != seal.sha256:
                return f"{unit}{'/' if name else ''}{name} is not what was written"
        except FileNotFoundError:
            return f"{unit}{'/' if name else ''}{name} is missing"
        except OSError as e:
            return f"{unit}{'/' if name else ''}{name} cannot be read ({e.strerror})"
        if stamp != seal.stamp:
            moved[name] = Seal(seal.sha256, stamp)
    if kept and moved:
        with contextlib.suppress(OSError):  # a store that cannot be written is hashed every time
            _write(store, unit, kept | moved)
    return None


def read_sealed(store: Path, unit: str, name: str = "", cure: str = AGAIN) -> bytes | None:
    """The content of a file that is, or lies in, a unit; None if there is none.

    Always held against the SHA-256 of its seal where it has one. Raises StoreError where it cannot be read or is not
    what was written.
    """
    path = store / unit / name if name else store / unit
    for rest in reversed(range(_TRIES)):
        content = _content(path, cure)
        kept = _read(store, unit)
        if content is None or kept is None or sha256_bytes(content) == _wanted(kept, name):
            return content
        if rest:
            time.sleep(_PAUSE_S)
    raise StoreError(f"{path}: is not what was written there; {cure}")


def sealed_sha256(store: Path, unit: str) -> str | None:
    """The SHA-256 that a unit that is a file was sealed with; None where nothing is known of it."""
    kept = _read(store, unit)
    return None if kept is None else _wanted(kept, "")


def _wanted(kept: dict[str, Seal], name: str) -> str:
    return kept[name].sha256 if name in kept else ""


def _content(path: Path, cure: str) -> bytes | None:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise StoreError(f"{path}: is no plain file; {cure}")
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as e:
        raise StoreError(f"{path}: cannot be read: {e.strerror}; {cure}") from None


def _path(store: Path, unit: str) -> str:
    return f"{store}/{SEALS}/{unit}.json"  # text: 20,000 of them are looked at before each run


def _read(store: Path, unit: str) -> dict[str, Seal] | None:
    """The seals of a unit's entries, None if it has none, and what fits nothing where they are damaged.

    A record without one among records that have one lost it: nothing else says that its numbers are those measured.
    """
    try:
        with open(_path(store, unit), "rb", buffering=0) as f:  # noqa: PTH123
            return _DECODER.decode(f.read())
    except FileNotFoundError:
        lost = unit.startswith(f"{RECORDS}/") and sealed_records(store)
        return _BROKEN if lost and os.path.lexists(f"{store}/{unit}") else None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return _BROKEN


def _write(store: Path, unit: str, seals: dict[str, Seal]) -> None:
    path = Path(_path(store, unit))
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    write_pieces_atomic(path, (msgspec.json.encode(seals, order="sorted"),))


def _stamp(path: str) -> str:
    """Size and time of change of a file; a digest of those of all files of a folder. Raises OSError."""
    status = os.stat(path)  # noqa: PTH116
    if stat.S_ISREG(status.st_mode):
        return f"{status.st_size} {status.st_mtime_ns}"
    if not stat.S_ISDIR(status.st_mode):
        raise OSError(0, "no plain file")
    return sha256_lines(f"{name}\0{_stamp(f'{path}/{name}')}" for name in _names(Path(path)))


def _sha256(path: Path) -> str:
    """The SHA-256 of a file, or over the names and contents of all files of a folder. Raises OSError."""
    if not path.is_dir():
        return sha256_file(path)
    return sha256_lines(f"{name}\0{sha256_file(path / name)}" for name in _names(path))


def _names(folder: Path) -> Iterator[str]:
    """The path of every file below a folder, in an order that is always the same. Raises OSError."""

    def stop(error: OSError) -> None:
        raise error

    found = [
        os.path.relpath(os.path.join(parent, name), folder)  # noqa: PTH118 - 500,000 names, no Paths
        for parent, _folders, names in os.walk(folder, onerror=stop)
        for name in names
    ]
    yield from sorted(found)
