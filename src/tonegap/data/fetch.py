"""A file from an address that is known by size and digest: fetched once, gone on with where it stopped.

The mistake it exists to prevent: half a file, or another one, under the name of the right one.
"""

from collections.abc import Callable
from pathlib import Path

import requests

from tonegap.declared.assets import Asset
from tonegap.errors import BadData
from tonegap.files import sha256_file

_PIECE = 64 << 10  # what is lost at most where a connection ends
_TIMEOUT_S = 60


def state(asset: Asset) -> str:
    """`there`, `partly` or `missing`, by size alone."""
    if asset.path.is_file() and asset.path.stat().st_size == asset.size:
        return "there"
    return "partly" if _partial(asset).exists() else "missing"


def check(asset: Asset) -> None:
    """Raises BadData unless the fetched file is the one that is declared, by its digest."""
    if state(asset) != "there":
        raise BadData(f"{asset.path}: not fetched; `tonegap assets fetch` does it")
    found = sha256_file(asset.path)
    if found != asset.sha256:
        raise BadData(
            f"{asset.path}: found sha256 {found[:12]}…, wanted {asset.sha256[:12]}…; delete it and fetch it again"
        )


def fetch(asset: Asset, moved: Callable[[int], None]) -> Path:
    """The file, fetched unless it is there; `moved` is told of bytes as they come, those of an earlier try first.

    Raises BadData where the address does not give it, or gives another file.
    """
    if state(asset) == "there":
        moved(asset.size)
        return asset.path
    partial = _partial(asset)
    partial.parent.mkdir(parents=True, exist_ok=True)
    try:
        _receive(asset, partial, moved)
    except (requests.RequestException, OSError) as problem:
        raise BadData(f"{asset.url}: {problem}; the same command goes on from there") from None
    found = sha256_file(partial)
    if partial.stat().st_size != asset.size or found != asset.sha256:
        size = partial.stat().st_size
        partial.unlink()
        raise BadData(
            f"{asset.url}: found {size:,} bytes of sha256 {found[:12]}…, wanted {asset.size:,} of "
            f"{asset.sha256[:12]}…: this is another file than the one declared"
        )
    partial.replace(asset.path)
    return asset.path


def _receive(asset: Asset, partial: Path, moved: Callable[[int], None]) -> None:
    """Appends what is missing; a server that cannot go on in the middle starts over."""
    have = partial.stat().st_size if partial.exists() else 0
    if have >= asset.size:
        moved(have)
        return
    headers = {"Range": f"bytes={have}-"} if have else {}
    with requests.get(asset.url, headers=headers, stream=True, timeout=_TIMEOUT_S) as answer:
        answer.raise_for_status()
        goes_on = have > 0 and answer.status_code == requests.codes.partial_content
        moved(have if goes_on else 0)
        with partial.open("ab" if goes_on else "wb") as f:
            for piece in answer.iter_content(_PIECE):
                f.write(piece)
                moved(len(piece))
    if partial.stat().st_size < asset.size:
        raise OSError(
            f"the connection ended after {partial.stat().st_size:,} of {asset.size:,} bytes"
        )


def _partial(asset: Asset) -> Path:
    return asset.path.with_name(f"{asset.path.name}.part")
