"""Layers as files in a folder, as a container would see them; nothing outside of the folder is read or changed.

Names, links and whiteouts of a layer are those of an image that others may have made. The mistake it exists to
prevent: a layer that removes, reads or rewrites a file of the host, through `..` or through a link of a lower layer.
"""

import json
import os
import shutil
import tarfile
from collections import deque
from pathlib import Path, PurePosixPath

from tonegap.files import sha256_bytes
from tonegap.untrusted import remove_tree

_HIDES = ".wh."  # how a layer says that a name of a lower one is gone
_HIDES_ALL = ".wh..wh..opq"
_MOST_LINKS = 40  # one after the other, as in the kernel


def unpack_layer(layer: Path, folder: Path) -> None:
    """Puts a layer's files over those of the layers below it; devices are left out.

    Raises tarfile.TarError for a name or a link that leads out of the folder, and OSError.
    """
    own: set[Path] = set()  # what this layer has put there: its whiteouts hide lower ones alone
    with tarfile.open(layer, "r:") as archive:
        for member in archive:
            path = place_in(folder, member.name)
            if path == folder or member.isdev():
                continue
            if path.name.startswith(_HIDES):
                _hide(path, own)
                continue
            _put(archive, member, path, folder)
            own.add(path)
            if path.parent not in own:
                own.update(path.parents)


def place_in(root: Path, name: str) -> Path:
    """Where an absolute name of an image lies below its root: links among its parents lead where they do inside.

    Raises tarfile.TarError for a name with `..` in it, and for links without end.
    """
    names = deque(part for part in PurePosixPath(name).parts if part != "/")
    if ".." in names:
        raise tarfile.TarError(f"{name[:200]!r} leads out of the image")
    at, n_links = root, 0
    while len(names) > 1:
        part = names.popleft()
        here = at / part
        if part == "..":
            at = at if at == root else at.parent
        elif here.is_symlink():
            n_links += 1
            if n_links > _MOST_LINKS:
                raise tarfile.TarError(f"{name[:200]!r} lies behind links without end")
            target = here.readlink()
            at = root if target.is_absolute() else at
            names.extendleft(part for part in reversed(target.parts) if part != "/")
        else:
            at = here
    return at / names[0] if names else root


def tree_stamp(folder: Path) -> str:
    """Hex SHA-256 over the names, sizes, modes and times of change of all that lies below a folder; reads no file."""
    found, waiting = [], [str(folder)]
    while waiting:
        with os.scandir(waiting.pop()) as entries:
            for entry in entries:
                status = entry.stat(follow_symlinks=False)
                if entry.is_dir(follow_symlinks=False):
                    waiting.append(entry.path)
                    found.append([entry.path[len(str(folder)) :], status.st_mode])
                else:
                    told = [status.st_size, status.st_mode, status.st_mtime_ns]
                    found.append([entry.path[len(str(folder)) :], *told])
    return sha256_bytes(json.dumps(sorted(found)).encode())  # names may be no UTF-8: as escapes


def _put(archive: tarfile.TarFile, member: tarfile.TarInfo, path: Path, root: Path) -> None:
    """Writes one member in place of what has its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if member.isdir():
        if path.is_symlink() or not path.is_dir():
            _remove(path)
            path.mkdir()
        path.chmod(0o755)  # so that the caller can remove it again
        return
    target = place_in(root, member.linkname) if member.islnk() else path
    is_folder = target.is_dir() and not target.is_symlink()
    if member.islnk() and (is_folder or not os.path.lexists(target)):
        raise tarfile.TarError(f"{member.name[:200]!r} is a link to what is no file of the image")
    if member.islnk() and target == path:
        return
    _remove(path)
    if member.islnk():
        os.link(target, path, follow_symlinks=False)
    elif member.issym():
        path.symlink_to(member.linkname)
    else:
        content = archive.extractfile(member)
        with path.open("xb") as out:
            if content:
                shutil.copyfileobj(content, out)
        path.chmod(member.mode & 0o755)
        os.utime(
            path, (member.mtime, member.mtime)
        )  # by which Python knows whether what it compiled is old


def _hide(mark: Path, own: set[Path]) -> None:
    """Removes what a whiteout says is gone."""
    if mark.name == _HIDES_ALL:
        _clear(mark.parent, own)
        return
    hidden = mark.name.removeprefix(_HIDES)
    if hidden in {"", ".", ".."}:
        raise tarfile.TarError(f"{mark.name!r} hides no name")
    _remove_lower(mark.with_name(hidden), own)


def _clear(folder: Path, own: set[Path]) -> None:
    """Removes what lower layers have put into a folder."""
    if folder.is_symlink() or not folder.is_dir():
        return
    for path in folder.iterdir():
        _remove_lower(path, own)


def _remove_lower(path: Path, own: set[Path]) -> None:
    if path in own:
        _clear(path, own)
    else:
        _remove(path)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink(missing_ok=True)
