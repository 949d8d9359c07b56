"""A bundle made elsewhere: what speaks against ranking it here, cell by cell.

The mistake it exists to prevent: a stranger's archive that names a file outside of it, or rewrites the reader's
terminal.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from tonegap.bundle.archive import Manifest, changed_files, extract
from tonegap.bundle.verify import verify_folder
from tonegap.errors import BadRequest
from tonegap.report.read import read_suites
from tonegap.run.matrix import CellId
from tonegap.run.record import Record
from tonegap.submissions.card import NAME
from tonegap.submissions.known import Known, differences

_LONGEST = 80
_KEY = re.compile(r"[0-9a-f]{64}")


def open_bundle(path: Path, known: Known, out: Path) -> tuple[Manifest, tuple[str, ...]]:
    """Extracts a bundle into `out`; what it says of itself, and every problem, one sentence each.

    Raises BadRequest for what is no bundle, StoreError where a file in it is damaged.
    """
    manifest = extract(path, out)
    found = (
        *changed_files(manifest, out),
        *verify_folder(out, manifest.suite).problems,
        *_foreign(out, manifest.suite, known),
    )
    return manifest, tuple(one_line(problem) for problem in found)


def one_line(text: str) -> str:
    """A stranger's words as one line that any terminal takes."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _foreign(folder: Path, suite: str, known: Known) -> Iterator[str]:
    """The cells that this store cannot set beside its own, each with the reason."""
    (run,) = read_suites(folder, [suite])
    for cell in run.cells:
        if cell.record is None:
            continue
        where = f"{cell.id.entry.label}, {cell.id.task}, seed {cell.id.seed}"
        yield from (f"{where}: {problem}" for problem in _unfit_names(cell.id, cell.record))
        try:
            for problem in differences(cell.record, known):
                yield f"{where}: {problem}"
        except BadRequest as e:
            yield f"{where}: {e}"


def _unfit_names(cell: CellId, record: Record) -> Iterator[str]:
    """What in a cell is no key, or no name for a row."""
    for key in (cell.key, *(stage.key for stage in record.stages)):
        if not _KEY.fullmatch(key):
            yield f"{key!r} is no key of a cell or stage"
    entry = cell.entry
    for name in (entry.method, entry.baseline, entry.backbone):
        if name and not NAME.fullmatch(name):
            yield f"{name!r} is no name of a method, baseline or backbone"
    if len(entry.variant) > _LONGEST or not entry.variant.isprintable():
        yield f"the variant {entry.variant[:_LONGEST]!r} is no short line"
