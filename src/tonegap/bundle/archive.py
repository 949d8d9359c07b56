"""The archive: a ZIP laid out as a store, with `bundle.json` naming every file and its digest.

    bundle.json, ro-crate-metadata.json
    suites/NAME.json    records/KEY.json    failures/KEY.json
    truth/SHA256.csv               stages/KK/KEY/predictions.parquet, synthetic.csv, lineage.json, stage.json
    audits/…                       specs/…   the suite's rooms as they were

The mistake it exists to prevent: an archive from a stranger that writes outside the folder it is opened in.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath

import msgspec

from tonegap.errors import BadRequest
from tonegap.files import sha256_bytes, sha256_file
from tonegap.standards.crate import CRATE, crate_problems

SCHEMA = "tonegap/bundle@1"
MANIFEST = "bundle.json"
Content = Path | bytes  # a file, or what will be one
_MAX_FILES = 200_000
_MAX_BYTES = 64 << 30
_EPOCH = (1980, 1, 1, 0, 0, 0)


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`bundle.json`: what the bundle holds. `files` maps each path to its SHA-256."""

    schema: str
    suite: str
    title: str
    made_with: str
    files: dict[str, str]


def write_archive(path: Path, manifest: Manifest, sources: Mapping[str, Content]) -> None:
    """Writes the archive; the same content gives the same bytes. `sources` maps names to contents.

    Raises BadRequest if it cannot be written.
    """
    aside = path.with_name(f".{path.name}.partial")
    try:
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
            _add(archive, MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
            for name, source in sorted(sources.items()):
                _add(archive, name, _bytes(source))
        aside.replace(path)
    except OSError as e:
        aside.unlink(missing_ok=True)
        raise BadRequest(f"{path}: cannot be written: {e.strerror}; choose another --out") from None


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    archive.writestr(info, content)


def extract(path: Path, folder: Path) -> Manifest:
    """Puts a bundle's files into an empty folder and returns what it says of itself.

    Nothing is checked but that the archive is one and stays inside the folder. Raises BadRequest.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if len(members) > _MAX_FILES or total > _MAX_BYTES:
                raise BadRequest(f"{path}: more than {_MAX_FILES:,} files or 64 GiB; not a bundle")
            for member in members:
                _extract(archive, member, folder, path)
        return msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except (OSError, zipfile.BadZipFile, msgspec.DecodeError, RuntimeError) as e:
        raise BadRequest(f"{path}: not a bundle of this suite ({e})") from None


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path, path: Path) -> None:
    parts = PurePosixPath(member.filename).parts
    if member.is_dir() or not parts or ".." in parts or member.filename.startswith("/"):
        raise BadRequest(f"{path}: holds {member.filename!r}, which is no file below a folder")
    target = folder.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(archive.read(member))


def changed_files(manifest: Manifest, folder: Path) -> list[str]:
    """What an extracted bundle's files have against its manifest and its crate, one sentence each.

    A bundle without a crate is an older one. Raises BadRequest for a crate that is none.
    """
    there = {
        p.relative_to(folder).as_posix(): p
        for p in sorted(folder.rglob("*"))
        if p.is_file() and p.name != MANIFEST
    }
    found = [f"{name}: missing" for name in sorted(manifest.files.keys() - there.keys())]
    found += [
        f"{name}: not in the manifest" for name in sorted(there.keys() - manifest.files.keys())
    ]
    found += [
        f"{name}: found sha256 {sha256_file(path)[:12]}…, wanted {manifest.files[name][:12]}…"
        for name, path in there.items()
        if name in manifest.files and sha256_file(path) != manifest.files[name]
    ]
    if CRATE in there:
        found += crate_problems(there[CRATE].read_bytes(), manifest.files, MANIFEST)
    return found


def digests(sources: Mapping[str, Content]) -> dict[str, str]:
    """The SHA-256 of each file, by its name in the bundle."""
    return {name: sha256_bytes(_bytes(source)) for name, source in sorted(sources.items())}


def _bytes(source: Content) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()
