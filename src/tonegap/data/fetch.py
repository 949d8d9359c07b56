"""Fetches files that are known by size and digest once, and resumes where it stopped.

The mistake it exists to prevent: half a file, or another one, under the name of the right one.
"""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import requests
from requests.exceptions import ChunkedEncodingError
from urllib3.exceptions import LocationParseError

from tonegap.declared.assets import Asset, Piece, asset_fault, size_at, wrong_files
from tonegap.errors import BadData
from tonegap.files import is_there, take_lock

_CHUNK = 64 << 10  # what is lost at most where a connection ends
_TIMEOUT_S = 60
_PART, _REFUSED = (206, 416), (401, 403)
_SPAN = re.compile(r"bytes (\d+)-\d+/(\d+|\*)")
_OTHER = "this is another file than the one declared, or a page; look at it in a browser"
_Count = Callable[[int], None]
_Tell = Callable[[str], None]
_ENDED = (requests.ConnectionError, requests.Timeout, ChunkedEncodingError)


def state(asset: Asset) -> str:
    """`there`, as declared; `changed`; `partly`; or `missing`. Raises BadData where the cache cannot be read."""
    with _in_cache(asset):
        there = [size_at(piece.path) is not None for piece in asset.pieces]
        if all(there):
            return "changed" if any(wrong_files(asset)) else "there"
        parts = (size_at(_partial(piece)) is not None for piece in asset.pieces)
        return "partly" if any(there) or any(parts) else "missing"


def check(name: str, asset: Asset) -> None:
    """Raises BadData unless what is fetched is what is declared, by its digest."""
    with _in_cache(asset):
        if said := asset_fault(name, asset):
            raise BadData(said)


def fetch(asset: Asset, moved: _Count, tell: _Tell) -> Path:
    """The file or folder, fetched unless it is there by its digest, by one process at a time.

    `moved` is told of bytes, earlier ones first; `tell` that another process is waited for, what is begun anew, and
    which files that do not belong to the folder were put beside it. Raises BadData where the address does not give it
    or gives another file, and where the cache cannot be written.
    """
    with _in_cache(asset):
        wrong, pieces = dict(wrong_files(asset)), {piece.path: piece for piece in asset.pieces}
        moved(sum(piece.size for path, piece in pieces.items() if path not in wrong))
        if wrong:
            with _alone(asset, tell):
                for path, said in wrong.items():
                    if path in pieces:
                        _fetch(pieces[path], moved, tell)
                    elif size_at(path) is not None:  # a part is a whole file by now
                        name = "-".join(path.relative_to(asset.path.parent).parts)
                        places = (asset.path.parent / f"{name}{n or ''}" for n in count())
                        aside = path.replace(next(p for p in places if not is_there(p)))
                        tell(f"{path}: {said}; moved to {aside}")
    return asset.path


@contextmanager
def _alone(asset: Asset, tell: _Tell) -> Iterator[None]:
    """Waits until no other process fetches the asset; the lock dies with its process."""
    asset.path.parent.mkdir(parents=True, exist_ok=True)
    with (asset.path.parent / ".lock").open("w") as lock:
        if not take_lock(lock, wait=False):
            tell(f"{asset.path}: waiting for another `tonegap assets fetch` that fetches it")
            take_lock(lock, wait=True)
        yield


def _fetch(piece: Piece, moved: _Count, tell: _Tell) -> None:
    partial = _partial(piece)
    if not piece.fault(piece.path):
        moved(piece.size)
        return
    partial.parent.mkdir(parents=True, exist_ok=True)
    if (size_at(partial) or 0) >= piece.size and (said := piece.fault(partial)):
        _drop(partial, said, tell)
    try:
        _receive(piece, partial, moved, tell)
    except requests.RequestException as problem:
        kept = isinstance(problem, _ENDED) and size_at(partial)
        goes_on = "; the same command goes on from there" if kept else ""
        raise BadData(f"{piece.url}: {_reason(problem, piece.url)}{goes_on}") from None
    except LocationParseError as problem:  # which `requests` lets through for some
        raise BadData(f"{piece.url}: no address of a host: {problem}") from None
    if said := piece.fault(partial):
        partial.unlink()
        raise BadData(f"{piece.url}: {said}: {_OTHER}")
    partial.replace(piece.path)


def _drop(partial: Path, why: str, tell: _Tell) -> None:
    partial.unlink()
    tell(f"{partial}: {why}; removed, the file is begun anew")


def _receive(piece: Piece, partial: Path, moved: _Count, tell: _Tell) -> None:
    """Appends what is missing, one byte more than declared at most; a server that cannot go on starts over."""
    have = size_at(partial) or 0
    if have == piece.size:
        moved(have)
        return
    headers = {"Accept-Encoding": "identity"} | _signed(piece.url)
    headers |= {"Range": f"bytes={have}-"} if have else {}
    with requests.get(piece.url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
        is_part = answer.status_code in _PART
        if not (have and is_part):
            answer.raise_for_status()
        said = answer.headers.get("Content-Range", "")
        span = _SPAN.fullmatch(said) if is_part else None
        if not is_part or (span and int(span[1]) == have):
            _write(piece, answer, have if is_part else 0, span[2] if span else "*", moved)
            return
    why = f"the server gives {said or 'nothing'!r} for what follows {have:,} bytes"
    if not have:
        raise BadData(f"{piece.url}: {why}: {_OTHER}")
    _drop(partial, why, tell)
    _receive(piece, partial, moved, tell)


def _write(piece: Piece, answer: requests.Response, have: int, told: str, moved: _Count) -> None:
    """Writes an answer behind the bytes that are here; `told` is the size of the whole file in it, "*" if unknown."""
    length = answer.headers.get("Content-Length", "")
    if told == "*" and length.isdecimal():
        told = str(have + int(length))
    is_page = told == "*" and "text/html" in answer.headers.get("Content-Type", "")
    if is_page or told not in ("*", str(piece.size)):
        found = "is a page" if is_page else f"has {int(told):,} bytes"
        raise BadData(f"{piece.url}: the answer {found}, wanted {piece.size:,}: {_OTHER}")
    moved(have)
    ended = False  # by itself: chunks say where they end, and then it is another file
    with suppress(*_ENDED), _partial(piece).open("ab" if have else "wb") as f:
        for some in answer.iter_content(_CHUNK):
            have += f.write(some[: piece.size + 1 - have])
            moved(len(some))
            if have > piece.size:
                return
        ended = told == "*" and "Transfer-Encoding" in answer.headers
    if have < piece.size and not ended:
        cut = f"the connection ended after {have:,} of {piece.size:,} bytes"
        raise requests.ConnectionError(cut)


def _is_hubs(url: str) -> bool:
    """Whether an address is of the Hub that a token of Hugging Face is for, or of the one in HF_ENDPOINT."""
    hubs = ("https://huggingface.co", os.environ.get("HF_ENDPOINT", ""))
    return url.split("/", 3)[:3] in [hub.split("/", 3)[:3] for hub in hubs]  # scheme, "", host


def _signed(url: str) -> dict[str, str]:
    """HF_TOKEN as a header for the Hub, nothing for others; `requests` drops it where a redirect leaves the host."""
    token = os.environ.get("HF_TOKEN", "").strip()
    if not token or not _is_hubs(url):
        return {}
    if not re.fullmatch(r"[!-~]+", token):
        raise BadData("HF_TOKEN: wanted one word of ASCII, as the settings of your account show it")
    return {"Authorization": f"Bearer {token}"}


def _reason(problem: requests.RequestException, url: str) -> str:
    """What went wrong, in words for people: no object's name, no address that a redirect signed."""
    answer, page = problem.response, url.partition("/resolve/")[0]
    if answer is not None and answer.status_code in _REFUSED and _is_hubs(url):
        who = " with the account of HF_TOKEN" if _signed(url) else ""
        then = "" if who else ", then set HF_TOKEN"
        return f"refused ({answer.status_code}): accept the licence at {page}{who}{then}"
    if answer is not None and not answer.ok:
        return f"the server answered {answer.status_code} ({answer.reason})"
    cause: BaseException = problem
    while (deeper := cause.__cause__ or cause.__context__) is not None:
        cause = deeper
    return (isinstance(cause, OSError) and cause.strerror) or str(cause)


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


def _partial(piece: Piece) -> Path:
    return piece.path.with_name(f"{piece.path.name}.part")
