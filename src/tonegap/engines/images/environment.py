"""A bound environment: a host folder of Python packages, named by a digest over its content.

Every file is hashed in full, not read off the packages' own RECORD files: those say what was
installed, not what lies there now. Digests are kept by size, times and inode of each file, so that the
second look at a folder of 6 GB takes a second. Compiled files are left out, as Python writes them when
it likes, and so is tonegap itself, which no stage uses.
"""

import hashlib
import importlib.metadata
import os
import sysconfig
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec

from tonegap.caches import read_kept
from tonegap.errors import EngineError
from tonegap.files import sha256_bytes, sha256_file, sha256_lines, write_atomic
from tonegap.formats.image_lock import BoundEnvironment

_WORKERS = 2
Seen = dict[str, tuple[int, int, int, int, str]]  # path → size, mtime, ctime, inode, SHA-256


def own_site_packages() -> Path:
    """The packages of the Python that runs tonegap."""
    return Path(sysconfig.get_path("platlib"))


def bound_environment(folder: Path, packages: Collection[str], cache: Path) -> BoundEnvironment:
    """The environment in a folder as it is now, with the versions of those packages.

    Raises EngineError where there is no such folder.
    """
    if not folder.is_dir():
        raise EngineError(
            f"{folder}: no such folder; wanted one of Python packages (site-packages)"
        )
    folder = folder.resolve()
    kept = cache / f"environment-{sha256_bytes(str(folder).encode())[:16]}.json"
    before = read_kept(lambda: msgspec.json.decode(kept.read_bytes(), type=Seen))
    seen = _digests(folder, before or {})
    write_atomic(kept, msgspec.json.encode(seen))
    digest = sha256_lines(f"{name}\0{row[-1]}" for name, row in sorted(seen.items()))
    return BoundEnvironment(str(folder), digest, package_versions(folder, packages))


def package_versions(folder: Path, names: Collection[str]) -> dict[str, str]:
    """Version by name of those packages that are installed in a folder."""
    found = {
        d.metadata["Name"]: d.version for d in importlib.metadata.distributions(path=[str(folder)])
    }
    return {name: found[name] for name in sorted(names) if name in found}


def _digests(folder: Path, before: Seen) -> Seen:
    """All files of the folder, hashed now unless nothing about them changed."""
    now: Seen = {}
    changed = []
    for name, status in _files(folder):
        row = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        old = before.get(name)
        now[name] = old if old is not None and old[:4] == row else (*row, "")
        if not now[name][4]:
            changed.append(name)
    with ThreadPoolExecutor(_WORKERS) as pool:
        digests = pool.map(lambda name: _digest(folder / name), changed)
        for name, digest in zip(changed, digests, strict=True):
            now[name] = (*now[name][:4], digest)
    return now


def _digest(path: Path) -> str:
    if path.is_symlink():
        return hashlib.sha256(b"link\0" + os.fsencode(path.readlink())).hexdigest()
    return sha256_file(path)


def _files(folder: Path) -> Iterator[tuple[str, os.stat_result]]:
    """Files and links below a folder by relative name, in no order."""
    pending = [""]
    while pending:
        below = pending.pop()
        with os.scandir(folder / below) as entries:
            for entry in entries:
                name = f"{below}{entry.name}"
                if _is_left_out(name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    pending.append(f"{name}/")
                else:
                    yield name, entry.stat(follow_symlinks=False)


def _is_left_out(name: str) -> bool:
    top = name.partition("/")[0]
    own = top == "tonegap" or top.startswith(("tonegap-", "_editable_impl_tonegap"))
    return own or name.endswith(("/__pycache__", ".pyc")) or name == "__pycache__"
