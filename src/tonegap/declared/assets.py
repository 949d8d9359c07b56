"""What full-size runs need from elsewhere: `benchmarks/assets.toml`, and the folder where it is kept once fetched.

The mistake it exists to prevent: weights of the right name that are another file than those a result was made with.
"""

import os
import re
from pathlib import Path

import msgspec

from tonegap.declared.toml import read_toml
from tonegap.errors import BadSuiteFolder

ASSETS = Path("benchmarks") / "assets.toml"
_NAME = re.compile(r"asset:(?P<name>[\w.-]+)")
_HEX = re.compile(r"[0-9a-f]{64}")


class Asset(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file: what it is, its licence, address, size in bytes and SHA-256."""

    about: str
    licence: str
    url: str
    size: int
    sha256: str

    @property
    def path(self) -> Path:
        """Where it lies once it is fetched: a folder of its own digest, so that no two files meet."""
        return assets_folder() / self.sha256[:16] / Path(self.url).name


class AssetsFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`benchmarks/assets.toml` as written."""

    assets: dict[str, Asset]


def assets_folder() -> Path:
    """The cache that all suites share: TONEGAP_ASSETS, or `~/.cache/tonegap/assets`."""
    named = os.environ.get("TONEGAP_ASSETS")
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(named) if named else Path(cache) / "tonegap" / "assets"


def read_assets(root: Path) -> dict[str, Asset]:
    """The assets of a suite root by name; none where it declares none. Raises BadSuiteFolder for a wrong file."""
    path = root / ASSETS
    if not path.is_file():
        return {}
    found = read_toml(path, AssetsFile).assets
    for name, asset in found.items():
        if not _HEX.fullmatch(asset.sha256) or asset.size < 1:
            raise BadSuiteFolder(
                f"{path}: {name}: wanted a sha256 of 64 digits and a size of 1 or more"
            )
    return found


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
