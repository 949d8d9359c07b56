"""A pack as a folder: the bundle, its report, documents, and `pack.json` with every digest, written last."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import msgspec

from tonegap import __version__
from tonegap.declared.report_settings import read_settings, titled
from tonegap.errors import BadRequest, StoreError, file_errors
from tonegap.files import remove_contents, sha256_file
from tonegap.report.pack.documents import documents
from tonegap.report.pack.source import REPORT, PackSource
from tonegap.report.write import write_board, write_bytes
from tonegap.results.assemble import assemble
from tonegap.results.bundle.pack import pack_suite
from tonegap.results.bundle.unite import unite
from tonegap.store.read import read_suites
from tonegap.store.source import ResultSource

PACK = "pack.json"
_SUFFIX = ".tonegap.zip"


class PackFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`pack.json`: the bundle's name, what wrote the pack, and the SHA-256 of each file by its path."""

    bundle: str
    made_by: str
    files: dict[str, str]


def write_pack(root: Path, store: Path, what: str, folder: Path) -> str:
    """Writes the pack of a suite or a bundle into a new or empty folder; returns what is filled, in words.

    Raises BadRequest for a folder that has something in it, a suite that is incomplete or did not run, a bundle that
    does not verify; StoreError if the folder cannot be written.
    """
    with file_errors(StoreError, f"{folder}: cannot be made a folder", "; choose another --out"):
        folder.mkdir(parents=True, exist_ok=True)
        full = any(folder.iterdir())
    if full:
        raise BadRequest(
            f"{folder}: found files, wanted a new or empty folder; choose another --out"
        )
    with ExitStack() as undo:  # half a pack would stand in the way of the next try
        undo.callback(remove_contents, folder)
        bundle = folder / (Path(what).name if what.endswith(".zip") else f"{what}{_SUFFIX}")
        if what.endswith(".zip"):
            with file_errors(BadRequest, f"{what}: cannot be read", "; name a bundle or a suite"):
                shutil.copyfile(what, bundle)
        else:
            pack_suite(root, store, what, bundle)
        said = _fill(root, bundle, folder)
        files = {path: sha256_file(folder / path) for path in _files(folder)}
        made = PackFile(bundle.name, f"tonegap {__version__}", files)
        write_bytes(folder / PACK, msgspec.json.format(msgspec.json.encode(made), indent=1) + b"\n")
        undo.pop_all()
    return said


def _fill(root: Path, bundle: Path, folder: Path) -> str:
    """Writes the report and the documents of a bundle; returns how many items are filled."""
    with tempfile.TemporaryDirectory(prefix="tonegap-pack-") as aside:
        store, united = unite([bundle], Path(aside), root, Path(aside) / "own")
        for refused in united.refused:
            raise BadRequest(f"{refused.path}: {refused.why}")
        suites = read_suites(store)
        settings = titled(read_settings(root), [suite.matrix.title for suite in suites])
        board, source = assemble(store, suites, settings), ResultSource(root, store, suites)
        write_board(board, folder / REPORT, source)
        made, said = documents(PackSource(board, source, bundle.name))
    for path, content in made.items():
        write_bytes(folder / path, content)
    return said


def _files(folder: Path) -> Iterator[str]:
    paths = (path for path in folder.rglob("*") if path.is_file() and path.name != PACK)
    return (path.relative_to(folder).as_posix() for path in sorted(paths))


def pack_problems(root: Path, folder: Path) -> tuple[str, list[str]]:
    """(the bundle's name, what is not as it was made), one sentence each; every document is made again.

    Raises BadRequest for a folder that is no pack.
    """
    try:
        said = msgspec.json.decode((folder / PACK).read_bytes(), type=PackFile)
    except FileNotFoundError:
        raise BadRequest(f"{folder}: no {PACK}; wanted a folder that `tonegap pack` made") from None
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as e:
        raise BadRequest(f"{folder / PACK}: cannot be read ({e}); make the pack again") from None
    name = said.bundle
    if Path(name).name != name or not (folder / name).is_file():
        raise BadRequest(f"{folder / PACK}: no bundle {name!r} beside it; make the pack again")
    with tempfile.TemporaryDirectory(prefix="tonegap-pack-") as aside:
        again = Path(aside)
        _fill(root, folder / name, again)
        made = {path: sha256_file(again / path) for path in _files(again)}
    made[name] = sha256_file(folder / name)
    found = {path: sha256_file(folder / path) for path in _files(folder)}
    other = "" if said.made_by == f"tonegap {__version__}" else f" (it was made by {said.made_by})"
    problems = [f"{path}: missing" for path in sorted(made.keys() - found.keys())]
    problems += [f"{path}: not part of the pack" for path in sorted(found.keys() - made.keys())]
    problems += [
        f"{path}: not what the bundle gives{other}"
        for path in sorted(made.keys() & found.keys())
        if made[path] != found[path]
    ]
    if said.files != found and not problems:
        problems.append(f"{PACK}: its digests are not those of the files")
    elif other and not problems:
        problems.append(f"{PACK}: says {said.made_by}; tonegap {__version__} makes the same files")
    return name, problems
