"""Fetches files that are known by size and digest once, and resumes where it stopped.

The mistake it exists to prevent: half a file, or another one, under the name of the right one.
"""

import errno
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from tonegap.declared.assets import Asset, Piece
from tonegap.errors import BadData
from tonegap.files import content_files, sha256_file

_CHUNK = 64 << 10  # what is lost at most where a connection ends
_TIMEOUT_S = 60
_ENDED = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
)


def state(asset: Asset) -> str:
    """`there`, `partly` or `missing`, by sizes alone. Raises BadData where the cache cannot be read."""
    with _in_cache(asset):
        there = [_size(piece.path) == piece.size for piece in asset.pieces]
        begun = any(there) or any(_size(_partial(piece)) is not None for piece in asset.pieces)
        return "there" if all(there) else "partly" if begun else "missing"


def check(asset: Asset) -> None:
    """Raises BadData unless what is fetched is what is declared, by its digest."""
    if state(asset) != "there":
        raise BadData(f"{asset.path}: not fetched; `tonegap assets fetch` does it")
    for piece in asset.pieces:
        with _in_cache(asset):
            found = sha256_file(piece.path)
        if found != piece.sha256:
            raise BadData(
                f"{piece.path}: found sha256 {found[:12]}…, wanted {piece.sha256[:12]}…; `tonegap assets fetch` "
                "fetches it anew"
            )
    known = {piece.path for piece in asset.pieces}
    others = [p for p in content_files(asset.path) if p not in known] if asset.files else []
    if others:
        raise BadData(f"{others[0]}: is no file of this asset; remove it")


def fetch(asset: Asset, moved: Callable[[int], None]) -> Path:
    """The file or folder, fetched unless it is there by its digest; `moved` is told of bytes, earlier ones first.

    Raises BadData where the address does not give it or gives another file, and where the cache cannot be written.
    """
    with _in_cache(asset):
        for piece in asset.pieces:
            _fetch(piece, moved)
    return asset.path


def _fetch(piece: Piece, moved: Callable[[int], None]) -> None:
    partial = _partial(piece)
    if _is_declared(piece, piece.path):
        moved(piece.size)
        return
    partial.parent.mkdir(parents=True, exist_ok=True)
    if (_size(partial) or 0) >= piece.size and not _is_declared(piece, partial):
        partial.unlink()
    try:
        _receive(piece, partial, moved)
    except requests.RequestException as problem:
        kept = isinstance(problem, _ENDED) and _size(partial)
        said = problem.args[0] if problem.args else problem
        raise BadData(
            f"{piece.url}: {said}{'; the same command goes on from there' if kept else ''}"
        ) from None
    size, found = _size(partial) or 0, sha256_file(partial)
    if (size, found) != (piece.size, piece.sha256):
        partial.unlink()
        count = f"more than {piece.size:,}" if size > piece.size else f"{size:,}"
        raise BadData(
            f"{piece.url}: found {count} bytes of sha256 {found[:12]}…, wanted {piece.size:,} of "
            f"{piece.sha256[:12]}…: this is another file than the one declared"
        )
    partial.replace(piece.path)


def _receive(piece: Piece, partial: Path, moved: Callable[[int], None]) -> None:
    """Appends what is missing, one byte more than declared at most; a server that cannot go on starts over."""
    have = _size(partial) or 0
    if have == piece.size:
        moved(have)
        return
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(piece.url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
        refused = have and answer.status_code == requests.codes.requested_range_not_satisfiable
        if not refused:
            answer.raise_for_status()
            goes_on = have > 0 and answer.status_code == requests.codes.partial_content
            have = have if goes_on else 0
            told = answer.headers.get("Content-Length", "")
            if told.isdecimal() and have + int(told) != piece.size:
                raise BadData(
                    f"{piece.url}: the answer has {have + int(told):,} bytes, wanted {piece.size:,}: this is another "
                    "file than the one declared, or a page about it; open the address in a browser"
                )
            moved(have)
            with partial.open("ab" if goes_on else "wb") as f:
                for some in answer.iter_content(_CHUNK):
                    have += f.write(some[: piece.size + 1 - have])
                    moved(len(some))
                    if have > piece.size:
                        return
    if refused:
        partial.unlink()
        _receive(piece, partial, moved)
    elif have < piece.size:
        raise requests.ConnectionError(
            f"the connection ended after {have:,} of {piece.size:,} bytes"
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


def _is_declared(piece: Piece, path: Path) -> bool:
    return _size(path) == piece.size and sha256_file(path) == piece.sha256


def _partial(piece: Piece) -> Path:
    return piece.path.with_name(f"{piece.path.name}.part")
