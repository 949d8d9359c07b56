"""Fetches a file that is known by size and digest once, and resumes where it stopped.

The mistake it exists to prevent: half a file, or another one, under the name of the right one.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tonegap.declared.assets import Asset
from tonegap.errors import BadData
from tonegap.files import sha256_file

_PIECE = 64 << 10  # what is lost at most where a connection ends
_TIMEOUT_S = 60
_ENDED = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)


def state(asset: Asset) -> str:
    """`there`, `partly` or `missing`, by size alone. Raises BadData where the cache cannot be read."""
    with _in_cache(asset):
        if _size(asset.path) == asset.size:
            return "there"
        return "missing" if _size(_partial(asset)) is None else "partly"


def check(asset: Asset) -> None:
    """Raises BadData unless the fetched file is the one that is declared, by its digest."""
    if state(asset) != "there":
        raise BadData(f"{asset.path}: not fetched; `tonegap assets fetch` does it")
    with _in_cache(asset):
        found = sha256_file(asset.path)
    if found != asset.sha256:
        raise BadData(
            f"{asset.path}: found sha256 {found[:12]}…, wanted {asset.sha256[:12]}…; `tonegap assets fetch` fetches "
            "it anew"
        )


def fetch(asset: Asset, moved: Callable[[int], None]) -> Path:
    """The file, fetched unless it is there with its digest; `moved` is told of bytes as they come, earlier ones first.

    Raises BadData where the address does not give it or gives another file, and where the cache cannot be written.
    """
    with _in_cache(asset):
        partial = _partial(asset)
        if _is_declared(asset, asset.path):
            moved(asset.size)
            return asset.path
        partial.parent.mkdir(parents=True, exist_ok=True)
        if (_size(partial) or 0) >= asset.size and not _is_declared(asset, partial):
            partial.unlink()
        try:
            _receive(asset, partial, moved)
        except requests.RequestException as problem:
            kept = isinstance(problem, _ENDED) and _size(partial)
            raise BadData(
                f"{asset.url}: {problem}{'; the same command goes on from there' if kept else ''}"
            ) from None
        size, found = _size(partial) or 0, sha256_file(partial)
        if (size, found) != (asset.size, asset.sha256):
            partial.unlink()
            count = f"more than {asset.size:,}" if size > asset.size else f"{size:,}"
            raise BadData(
                f"{asset.url}: found {count} bytes of sha256 {found[:12]}…, wanted {asset.size:,} of "
                f"{asset.sha256[:12]}…: this is another file than the one declared"
            )
        partial.replace(asset.path)
        return asset.path


def _receive(asset: Asset, partial: Path, moved: Callable[[int], None]) -> None:
    """Appends what is missing, one byte more than declared at most; a server that cannot go on starts over."""
    have = _size(partial) or 0
    if have == asset.size:
        moved(have)
        return
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(asset.url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
        refused = have and answer.status_code == requests.codes.requested_range_not_satisfiable
        if not refused:
            answer.raise_for_status()
            goes_on = have > 0 and answer.status_code == requests.codes.partial_content
            have = have if goes_on else 0
            moved(have)
            with partial.open("ab" if goes_on else "wb") as f:
                for piece in answer.iter_content(_PIECE):
                    have += f.write(piece[: asset.size + 1 - have])
                    moved(len(piece))
                    if have > asset.size:
                        return
    if refused:
        partial.unlink()
        _receive(asset, partial, moved)
    elif have < asset.size:
        raise requests.ConnectionError(
            f"the connection ended after {have:,} of {asset.size:,} bytes"
        )


@contextmanager
def _in_cache(asset: Asset) -> Iterator[None]:
    """Raises BadData in a sentence where a file or folder of the cache cannot be read or written."""
    try:
        yield
    except OSError as problem:
        raise BadData(
            f"{problem.filename or asset.path}: {problem.strerror or problem}; wanted a cache that can be read and "
            "written: mend it, or name another folder in TONEGAP_ASSETS"
        ) from None


def _size(path: Path) -> int | None:
    """The bytes of a file; None where there is nothing. Raises OSError for a folder, or a path that leads nowhere."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return None
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "Is a directory", str(path))
    return size


def _is_declared(asset: Asset, path: Path) -> bool:
    return _size(path) == asset.size and sha256_file(path) == asset.sha256


def _partial(asset: Asset) -> Path:
    return asset.path.with_name(f"{asset.path.name}.part")
