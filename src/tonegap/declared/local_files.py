"""Local files and folders given to a plug-in as `PATH#sha256=HEX`: weights, pipelines, tables, images.

The mistake it exists to prevent: another file of the same name that is taken for the one a result was made with.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tonegap.declared.assets import Asset, asset_at, asset_fault
from tonegap.declared.plugin import GIVEN_KINDS, Plugin
from tonegap.errors import BadSuiteFolder
from tonegap.files import folder_digest, sha256_file
from tonegap.formats.job import Parameter

NO_FILE = "none"
_FORM = re.compile(r"(?P<path>.+)#sha256=(?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A local file, or a folder: the parameter it is for, where it lies, its digest."""

    parameter: str
    path: Path
    sha256: str
    is_folder: bool = False

    @property
    def public(self) -> str:
        """What a stage and a record are told: the name and digest, no path of the host."""
        return spelled(Path(self.path.name), self.sha256)


def spelled(path: Path, sha256: str) -> str:
    """The value of a parameter that is a file or folder: `PATH#sha256=HEX`."""
    return f"{path}#sha256={sha256}"


def local_digest(path: Path) -> str:
    """SHA-256 of a file's content, or of a folder's tree: relative paths and contents, no caches.

    Raises BadSuiteFolder where there is neither.
    """
    if path.is_file():
        return sha256_file(path)
    if path.is_dir():
        return folder_digest(path)
    raise BadSuiteFolder(f"{path}: no such file or folder")


def absolute(value: Parameter, base: Path) -> Parameter:
    """A value of the form `PATH#sha256=HEX` with its path made absolute; any other as it is."""
    match = _FORM.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        return value
    return spelled(base / Path(match["path"]).expanduser(), match["sha256"])


def public_form(value: Parameter) -> str | None:
    """What a record has of a value of the form `PATH#sha256=HEX`: name and digest; None for another."""
    match = _FORM.fullmatch(value) if isinstance(value, str) else None
    return None if match is None else spelled(Path(Path(match["path"]).name), match["sha256"])


def local_files(
    plugin: Plugin, parameters: dict[str, Parameter], said_by: str, base: Path
) -> tuple[LocalFile, ...]:
    """The files and folders that a plug-in's filled parameters name; relative paths start from `base`.

    Raises BadSuiteFolder for a value of another form, and for two of one name: the stage sees them in one folder.
    """
    found: list[LocalFile] = []
    for name, value in parameters.items():
        kind, default = plugin.file.parameters[name].kind, plugin.file.parameters[name].default
        where = f"{said_by}: {plugin.label} {name}"
        match = _FORM.fullmatch(str(value))
        asset = asset_at(base, Path(match["path"])) if match else None
        if asset and kind != asset[1].kind:
            raise BadSuiteFolder(
                f"{where}: found an asset, which is a {asset[1].kind} ({Path(asset[1].path).name}), wanted a {kind}; "
                f"give asset:{asset[0]} to a parameter that is a {asset[1].kind}"
            )
        # An empty value is what `$(tonegap digest PATH)` gives where it fails: the stage would run without the file.
        if kind not in GIVEN_KINDS or value == NO_FILE or value == default == "":
            continue
        if match is None:
            raise BadSuiteFolder(
                f"{where}: found {value!r}, wanted PATH#sha256=HEX "
                f"(`tonegap digest PATH` prints it), or {NO_FILE}"
            )
        path = base / Path(match["path"]).expanduser()
        for other in (other for other in found if other.path.name == path.name):
            raise BadSuiteFolder(
                f"{where}: a {kind} named {path.name} is given as {other.parameter} already; "
                "rename one of the two"
            )
        found.append(LocalFile(name, path, match["sha256"], kind == "folder"))
    return tuple(found)


def absent_asset(file: LocalFile, root: Path) -> tuple[str, Asset] | None:
    """Name and asset where a file or folder is one of `root` and not there as a whole; None for any other."""
    found = asset_at(root, file.path)
    whole = found is None or all(piece.path.is_file() for piece in found[1].pieces)
    return None if whole else found


def fetch_it(name: str, asset: Asset) -> str:
    """What an asset is and the command that brings it."""
    return (
        f"the asset {name} of {asset.size / 1e6:,.0f} MB; `tonegap assets fetch {name}` brings it"
    )


def check_local_file(file: LocalFile, root: Path) -> None:
    """Raises BadSuiteFolder unless the file or folder is there with that content; `root` says what can be fetched."""
    kind = "folder" if file.is_folder else "file"
    absent = absent_asset(file, root)
    cure = fetch_it(*absent) if absent else ""
    if cure or not (file.path.is_dir() if file.is_folder else file.path.is_file()):
        raise BadSuiteFolder(
            f"{file.path}: no such {kind}, but the parameter {file.parameter} names it"
            f"{f': {cure}' if cure else ''}"
        )
    found = local_digest(file.path)
    if found != file.sha256:
        asset = asset_at(root, file.path)
        raise BadSuiteFolder(
            (asset and asset_fault(*asset))
            or f"{file.path}: found sha256 {found[:12]}…, wanted {file.sha256[:12]}… "
            f"(parameter {file.parameter}): this is another {kind} than the one asked for"
        )
