"""Reads `benchmarks/assets.toml`, the list of files that full-size runs need, and finds those that were fetched.

The mistake it exists to prevent: weights of the right name that are another file than those a result was made with.
"""

import errno
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import msgspec

from tonegap.declared.toml import read_toml
from tonegap.errors import BadSuiteFolder
from tonegap.files import content_files, is_below, sha256_file, sha256_lines
from tonegap.lines import counted

ASSETS = Path("benchmarks") / "assets.toml"
_NAME = re.compile(r"asset:(?P<name>[\w.-]+)")
_ADDRESS = re.compile(r"https?://[^/\s]\S*")
_HEX = re.compile(r"[0-9a-f]{64}")


class PinnedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of an asset that is a folder: its size in bytes and SHA-256."""

    size: int
    sha256: str


class Asset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file or a folder: what it is, its licence, address, size in bytes and SHA-256.

    Of a folder `files` has each file by its path below `url`, and `folder` its name; size and digest follow from them.
    """

    about: str
    licence: str
    url: str
    size: int = 0
    sha256: str = ""
    folder: str = ""
    files: dict[str, PinnedFile] = {}

    @property
    def path(self) -> Path:
        """Where it lies once it is fetched: below a folder of its own digest, so that no two meet."""
        name = Path(re.split(r"[?#]", self.url)[0]).name
        return assets_folder() / self.sha256[:16] / (self.folder or name)

    @property
    def kind(self) -> str:
        """`file` or `folder`, as parameters call what they take."""
        return "folder" if self.files else "file"

    @property
    def pieces(self) -> tuple["Piece", ...]:
        """The files to fetch: itself, or those of a folder."""
        if not self.files:
            return (Piece(self.url, self.path, self.size, self.sha256),)
        return tuple(
            Piece(f"{self.url}/{name}", self.path / name, pin.size, pin.sha256)
            for name, pin in self.files.items()
        )


@dataclass(frozen=True, slots=True)
class Piece:
    """One file of an asset: its address, where it lies once it is fetched, its size in bytes and SHA-256."""

    url: str
    path: Path
    size: int
    sha256: str

    def fault(self, path: Path) -> str:
        """What is wrong with a file as this one, "" if it is the one. Raises OSError for what cannot be read."""
        size = size_at(path)
        if size is None:
            return "not fetched"
        if size != self.size:
            more = "more than " if size > self.size else ""
            return f"found {more}{min(size, self.size):,} bytes, wanted {self.size:,}"
        found = sha256_file(path)
        wrong = f"found sha256 {found[:12]}…, wanted {self.sha256[:12]}…"
        return wrong if found != self.sha256 else ""


class AssetsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`benchmarks/assets.toml` as written."""

    assets: dict[str, Asset]


def assets_folder() -> Path:
    """The cache that all suites share: TONEGAP_ASSETS, from the current folder on, or `~/.cache/tonegap/assets`."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    folder = os.environ.get("TONEGAP_ASSETS") or Path(cache) / "tonegap" / "assets"
    return Path(os.path.expanduser(folder)).absolute()  # noqa: PTH111 - raises nothing


def size_at(path: Path) -> int | None:
    """The bytes of a file; None where there is nothing. Raises OSError for a folder, or a path that leads nowhere."""
    try:
        size = path.stat().st_size
    except FileNotFoundError:
        return None
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, "Is a directory", str(path))
    return size


def wrong_files(asset: Asset) -> Iterator[tuple[Path, str]]:
    """The files in the cache that are not as declared, and what is wrong with each; reads all. Raises OSError."""
    pieces = {piece.path: piece for piece in asset.pieces}
    for path, piece in pieces.items():
        if said := piece.fault(path):
            yield path, said
    for path in content_files(asset.path) if asset.files else ():
        if path not in pieces:
            yield path, "is no file of this asset"


def asset_fault(name: str, asset: Asset) -> str | None:
    """What is wrong with an asset in the cache, and the cure; None where it is as declared. Raises OSError."""
    if not (wrong := list(wrong_files(asset))):
        return None
    more = f" (and {counted(len(wrong) - 1, 'file more')})" if len(wrong) > 1 else ""
    return f"{wrong[0][0]}: {wrong[0][1]}{more}; `tonegap assets fetch {name}` mends it"


def read_assets(root: Path) -> dict[str, Asset]:
    """The assets of a suite root by name; none where it declares none. Raises BadSuiteFolder for a wrong file."""
    path = root / ASSETS
    if not path.is_file():
        return {}
    found = {name: _summed(asset) for name, asset in read_toml(path, AssetsFile).assets.items()}
    wrong = (f"{name}: {text}" for name, asset in found.items() for text in _faults(name, asset))
    if said := "; ".join(wrong):
        raise BadSuiteFolder(f"{path}: {said}")
    return found


def _faults(name: str, asset: Asset) -> Iterator[str]:
    """What is wrong with a declaration."""
    if asset_in(f"asset:{name}") is None:
        yield "wanted a name of letters, digits, '.', '_' and '-', as `asset:NAME` spells it"
    if not _ADDRESS.fullmatch(asset.url):
        yield f"url: found {asset.url!r}, wanted an address of http or https"
    pins = asset.files.values() or (asset,)
    if not all(_HEX.fullmatch(pin.sha256) and pin.size > 0 for pin in pins):
        yield "wanted a sha256 of 64 digits and a size of 1 or more"
    names = [asset.folder, *asset.files] if asset.files or asset.folder else []
    plain = all(is_below(name) and str(PurePosixPath(name)) == name for name in names)
    if not plain or bool(asset.folder) != bool(asset.files):
        yield "wanted `folder`, a name, and `files` by their paths below it, or neither of them"


def _summed(asset: Asset) -> Asset:
    """A folder with its size and the digest that `tonegap digest` prints of it; a file as it is."""
    if not asset.files:
        return asset
    lines = (f"{name}\0{pin.sha256}" for name, pin in sorted(asset.files.items()))
    total = sum(pin.size for pin in asset.files.values())
    return msgspec.structs.replace(asset, size=total, sha256=sha256_lines(lines))


def asset_at(root: Path, path: Path) -> tuple[str, Asset] | None:
    """The name and the asset that lies at a path of the cache, None for any other path. Raises BadSuiteFolder."""
    if not path.is_relative_to(assets_folder()):
        return None
    return next(((n, a) for n, a in read_assets(root).items() if a.path == path), None)


def asset_named(root: Path, name: str) -> Asset:
    """The asset of that name. Raises BadSuiteFolder naming those there are."""
    known = read_assets(root)
    if name not in known:
        raise BadSuiteFolder(
            f"{root / ASSETS}: no asset {name!r}; there are: {', '.join(known) or 'none'}"
        )
    return known[name]


def asset_in(value: object) -> str | None:
    """The name in a parameter's value of the form `asset:NAME`, None for any other value."""
    match = _NAME.fullmatch(value) if isinstance(value, str) else None
    return match["name"] if match is not None else None
