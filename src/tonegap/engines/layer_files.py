"""Puts the layers of an image into a folder, as a container engine does, whatever stands in them.

A layer may be of anybody. The mistake it exists to prevent: a name, a link or a mark of absence that leads out of the
folder, so that a file of the host is opened to a stage, or removed.
"""

import os
import shutil
import tarfile
from pathlib import Path, PurePosixPath

from tonegap.files import digest_of
from tonegap.untrusted import remove_tree

_HIDES = ".wh."  # how a layer says that a name of a lower one is gone
_HIDES_ALL = ".wh..wh..opq"
_OF_TOOLS = ".wh..wh."  # names of tools that made the layer
_MAX_LINKS = 40
_MODE = 0o755  # no setuid and the like, nobody else writes


def unpack_layer(layer: Path, folder: Path) -> None:
    """Puts a layer's files over what is there; links are followed as if the folder were the whole file system.

    What a layer hides is of lower ones, wherever in it that is said. Devices and pipes are left out. Raises
    tarfile.TarError for a name that leads out of the folder, OSError where a file cannot be written.
    """
    with tarfile.open(layer, "r:") as archive:
        members = archive.getmembers()
        for member in members:
            _hide(folder, _parts(member.name))
        left_out = {_parts(member.name) for member in members if member.isdev()}
        for member in members:
            parts = _parts(member.name)
            if not parts and not member.isdir():
                raise tarfile.TarError(f"{member.name!r} takes the place of the root")
            if parts and parts not in left_out and not parts[-1].startswith(_HIDES):
                _put(archive, member, folder, parts, left_out)


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
    return digest_of(sorted(found))


def _parts(name: str) -> tuple[str, ...]:
    parts = tuple(part for part in PurePosixPath(name).parts if part != "/")
    if ".." in parts or "\0" in name:
        raise tarfile.TarError(f"{name!r} leads out of the image")
    return parts


def _folder_of(root: Path, parts: tuple[str, ...]) -> Path:
    """The folder of a name's last part, its links followed within the root."""
    here, waiting, n_links = root, list(reversed(parts[:-1])), 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            here = here if here == root else here.parent
            continue
        if not (here / part).is_symlink():
            here /= part
            continue
        n_links += 1
        if n_links > _MAX_LINKS:
            raise tarfile.TarError(f"{'/'.join(parts)!r}: too many links")
        target = PurePosixPath(os.readlink(here / part))  # noqa: PTH115 (a path of the image, not of the host)
        here = root if target.is_absolute() else here
        waiting += reversed([one for one in target.parts if one != "/"])
    return here


def _hide(root: Path, parts: tuple[str, ...]) -> None:
    """Takes away what a name says is gone."""
    name = parts[-1] if parts else ""
    if not name.startswith(_HIDES):
        return
    folder = _folder_of(root, parts)
    if name == _HIDES_ALL:
        for path in folder.iterdir() if folder.is_dir() else ():
            _remove(path)
    elif not name.startswith(_OF_TOOLS):
        hidden = name.removeprefix(_HIDES)
        if hidden in {"", ".", ".."}:
            raise tarfile.TarError(f"{'/'.join(parts)!r} hides no name")
        _remove(folder / hidden)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink(missing_ok=True)


def _put(
    archive: tarfile.TarFile,
    member: tarfile.TarInfo,
    root: Path,
    parts: tuple[str, ...],
    left_out: set[tuple[str, ...]],
) -> None:
    folder = _folder_of(root, parts)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / parts[-1]
    if member.isdir():
        if path.is_symlink() or not path.is_dir():
            _remove(path)
            path.mkdir()
        path.chmod(_MODE)  # so that the caller can remove it again
        return
    if member.islnk():
        linked = _parts(member.linkname)
        if linked in left_out:
            return
        source = _folder_of(root, linked) / linked[-1] if linked else root
        if not (source.is_symlink() or source.is_file()):
            raise tarfile.TarError(f"{member.name!r} is a link to {member.linkname!r}, no file")
        if path != source:
            _remove(path)
            os.link(source, path, follow_symlinks=False)
        return
    _remove(path)
    if member.issym():
        path.symlink_to(member.linkname)
        return
    content = archive.extractfile(member)
    if content is None:
        raise tarfile.TarError(f"{member.name!r} is of no kind that an image has")
    with content, path.open("xb") as out:
        shutil.copyfileobj(content, out, 1 << 20)
    path.chmod(member.mode & _MODE)
    os.utime(path, (member.mtime, member.mtime))
