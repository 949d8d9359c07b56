"""The archive: a ZIP laid out as a store, with `bundle.json` naming every file and its digest.

    bundle.json, ro-crate-metadata.json
    suites/NAME.json    records/KEY.json    failures/KEY.json
    truth/SHA256.csv               stages/KK/KEY/predictions.parquet, synthetic.csv, lineage.json, stage.json
    audits/…                       specs/…   the suite's folders as they were

The mistake it exists to prevent: an archive from a stranger that writes outside the folder it is opened in, fills
the disk or the memory, or holds two files of one name, of which one is checked and the other read.
"""

import contextlib
import io
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

import msgspec

from tonegap.errors import BadRequest, file_errors
from tonegap.files import sha256_bytes, sha256_file, status_of
from tonegap.lines import one_line
from tonegap.results.bundle.crate import CRATE, crate_problems
from tonegap.store.layout import FAILURES, RECORDS, STAGES, SUITES, TRUTHS
from tonegap.untrusted import MAX_DEPTH, reason, refused

SCHEMA = "tonegap/bundle@1"
MANIFEST = "bundle.json"
Content = Path | bytes  # a file, or what will be one
_MIB = 1 << 20
_MAX_FILES = 200_000
_MAX_LISTING = 16 * _MIB  # of the archive's directory: 100,000 files of a bundle
_MAX_NAME = 255
# The most that a member may have, by its place; all others have specs and sheets, of some kB.
_MOST = {
    MANIFEST: 48 * _MIB,
    CRATE: 48 * _MIB,
    SUITES: 32 * _MIB,
    RECORDS: 8 * _MIB,
    FAILURES: 1 * _MIB,
    TRUTHS: 64 * _MIB,
    STAGES: 2048 * _MIB,
}
_MOST_ELSEWHERE = 4 * _MIB
# A member larger than this may unpack to so many times its compressed size: tables of numbers reach a third of it.
_FREE, _MAX_RATIO = 32 * _MIB, 30
_CHUNK = 1 * _MIB
_MEMORY, _MEMORY_PER_BYTE = 320 * _MIB, 24
_DAMAGED = "not a bundle of this suite"
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
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(aside, "w", zipfile.ZIP_DEFLATED) as archive:
            _add(archive, MANIFEST, msgspec.json.format(msgspec.json.encode(manifest), indent=1))
            for name, source in sorted(sources.items()):
                _add(archive, name, _bytes(source))
        aside.replace(path)
    except OSError as e:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise BadRequest(f"{path}: cannot be written: {e.strerror}; choose another --out") from None


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    archive.writestr(info, content)


class _Source(io.FileIO):
    """An archive's file, of whose directory no more is read than fits; `zipfile` reads it whole, as long as it says."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _MAX_LISTING:
            raise zipfile.BadZipFile(
                f"its directory has {size:,} bytes, and at most {_MAX_LISTING:,} are read"
            )
        return super().read(-1 if size is None else size)


def memory_for(path: Path) -> int:
    """How much more memory, in bytes, checking a bundle may take: enough for predictions that are nearly all of it.

    Raises BadRequest for what is no file.
    """
    with file_errors(BadRequest, f"{path}: cannot be read"):
        return _MEMORY + _MEMORY_PER_BYTE * status_of(path).st_size


def extract(path: Path, folder: Path) -> Manifest:
    """Puts a bundle's files into an empty folder and returns what it says of itself.

    Nothing of the content is checked, only that the archive is one, stays inside the folder, holds each file once,
    and unpacks to what a bundle may have. Raises BadRequest.
    """
    with refused(f"{path}: {_DAMAGED}"):
        with _Source(path) as source, zipfile.ZipFile(source) as archive:
            members = archive.infolist()
            for problem in _problems(members):
                raise BadRequest(f"{path}: {_DAMAGED}: {problem}")
            for member in members:
                _extract(archive, member, folder)
        return _manifest(folder / MANIFEST, path)


def _manifest(place: Path, path: Path) -> Manifest:
    if not place.is_file():
        raise BadRequest(f"{path}: {_DAMAGED}: it has no {MANIFEST}")
    manifest = msgspec.json.decode(place.read_bytes(), type=Manifest)
    if manifest.schema != SCHEMA:
        raise BadRequest(f"{path}: found schema {manifest.schema[:80]!a}, wanted {SCHEMA!r}")
    return manifest


def _problems(members: list[zipfile.ZipInfo]) -> Iterator[str]:
    """Why nothing of an archive is unpacked, first reason first."""
    if len(members) > _MAX_FILES:
        yield f"it holds {len(members):,} files, and at most {_MAX_FILES:,} are read"
    seen: set[tuple[str, ...]] = set()
    for member in members:
        name = member.filename
        parts = PurePosixPath(name).parts
        if member.is_dir() or not parts or ".." in parts or name.startswith("/") or "\\" in name:
            yield f"it holds {name[:_MAX_NAME]!a}, which is no file below a folder"
        if not name.isprintable() or len(name.encode()) > _MAX_NAME or len(parts) > MAX_DEPTH:
            yield f"it holds {name[:_MAX_NAME]!a}, which is no short name"
        if parts in seen:
            yield f"it holds {name!a} twice"
        seen.add(parts)
        yield from _size_problems(member, parts[0])


def _size_problems(member: zipfile.ZipInfo, place: str) -> Iterator[str]:
    """What of a member's size or form is more than a bundle has."""
    name, size = member.filename, member.file_size
    most = _MOST.get(place, _MOST_ELSEWHERE)
    if size > most:
        yield f"{name!a} has {size:,} bytes, and at most {most:,} are read there"
    if size > max(_FREE, _MAX_RATIO * member.compress_size):
        yield f"{name!a} unpacks from {member.compress_size:,} to {size:,} bytes, which no result of a run does"
    if (
        member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
        or member.flag_bits & 1
    ):
        yield f"{name!a} is encrypted, or compressed by another way than deflate"


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, folder: Path) -> None:
    """Unpacks one member in pieces; its size is the declared one or it is damaged, as `zipfile` says by its CRC."""
    target = folder.joinpath(*PurePosixPath(member.filename).parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        with archive.open(member) as source, target.open("xb") as out:
            while piece := source.read(_CHUNK):
                out.write(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError) as e:
        raise BadRequest(
            f"{archive.filename}: {_DAMAGED}: {member.filename!a}: {reason(e)}"
        ) from None


def changed_files(manifest: Manifest, folder: Path) -> list[str]:
    """What an extracted bundle's files have against its manifest and its crate, one sentence each.

    A bundle without a crate is an older one. Raises BadRequest for a crate that is none.
    """
    there = {p.relative_to(folder).as_posix(): p for p in sorted(folder.rglob("*")) if p.is_file()}
    del there[MANIFEST]
    found = [f"{name}: missing" for name in sorted(manifest.files.keys() - there.keys())]
    found += [
        f"{name}: not in the manifest" for name in sorted(there.keys() - manifest.files.keys())
    ]
    for name in sorted(there.keys() & manifest.files.keys()):
        digest, wanted = sha256_file(there[name]), manifest.files[name]
        if digest != wanted:
            found.append(f"{name}: found sha256 {digest[:12]}…, wanted {wanted[:12]}…")
    if CRATE in there:
        found += crate_problems(there[CRATE].read_bytes(), manifest.files, MANIFEST)
    return [one_line(problem) for problem in found]


def digests(sources: Mapping[str, Content]) -> dict[str, str]:
    """The SHA-256 of each file, by its name in the bundle."""
    return {name: sha256_bytes(_bytes(source)) for name, source in sorted(sources.items())}


def _bytes(source: Content) -> bytes:
    return source if isinstance(source, bytes) else source.read_bytes()
