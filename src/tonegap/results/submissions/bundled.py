"""A bundle made elsewhere: what speaks against ranking it here, cell by cell.

The mistake it exists to prevent: a stranger's numbers ranked for what only a file of the stranger's says.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

from tonegap.errors import BadRequest
from tonegap.formats.matrix import CellId
from tonegap.formats.record import Record
from tonegap.lines import one_line
from tonegap.results.bundle.archive import Manifest, changed_files, extract
from tonegap.results.bundle.union import UnitedBundles, unite
from tonegap.results.bundle.verify import read_bundled, verify_folder
from tonegap.results.submissions.card import NAME
from tonegap.results.submissions.declared import contradictions, repeated_runs
from tonegap.results.submissions.known import KnownRecords, differences, own_truths
from tonegap.store.read import SuiteRun

_LONGEST = 80


def open_bundle(
    path: Path, root: Path, known: KnownRecords, out: Path
) -> tuple[Manifest, tuple[str, ...]]:
    """Extracts a bundle into `out`; what it says of itself, and every problem, one sentence each.

    Raises BadRequest for what is no bundle, StoreError where a file in it is damaged.
    """
    manifest = extract(path, out)
    found = [*changed_files(manifest, out), *verify_folder(out, manifest.suite).problems]
    if not found:  # else its content is not worth a second look
        found = list(unlike_here(out, read_bundled(out, manifest.suite), root, known))
    return manifest, tuple(one_line(problem) for problem in found)


def united_with(
    root: Path, store: Path, bundles: Sequence[Path], folder: Path
) -> tuple[Path, UnitedBundles]:
    """Bundles in one store below an empty folder, held against a suite root's plug-ins and a store's truths.

    Those that contradict them are refused. Raises BadRequest and StoreError as `unite` does.
    """
    own = own_truths(store)
    return unite(bundles, folder, lambda aside, run: unlike_here(aside, run, root, None), own)


def unlike_here(
    folder: Path, run: SuiteRun, root: Path, known: KnownRecords | None
) -> Iterator[str]:
    """The cells of an extracted bundle that cannot be set beside those here, each with the reason.

    `known` None: a leaderboard of bundles alone, held against the plug-ins of the suite root and no store.
    """
    for cell in run.cells:
        if cell.record is None:
            continue
        where = f"{cell.id.entry.label}, {cell.id.task}, seed {cell.id.seed}"
        unfit = list(_unfit_names(cell.id))
        # A name that is none is not looked up.
        found = unfit or [
            *contradictions(root, cell.id, cell.record),
            *(_differences(cell.record, known) if known else ()),
        ]
        yield from (f"{where}: {problem}" for problem in found)
    yield from repeated_runs(folder, run)


def _differences(record: Record, known: KnownRecords) -> Iterator[str]:
    try:
        yield from differences(record, known)
    except BadRequest as e:
        yield str(e)


def _unfit_names(cell: CellId) -> Iterator[str]:
    """What in a cell is no name for a row."""
    entry = cell.entry
    for name in (entry.method, entry.baseline, entry.backbone):
        if name and not NAME.fullmatch(name):
            yield f"{name[:_LONGEST]!r} is no name of a method, baseline or backbone"
    if len(entry.variant) > _LONGEST or not entry.variant.isprintable():
        yield f"the variant {entry.variant[:_LONGEST]!r} is no short line"
    if not 0 <= cell.seed < 2**32:
        yield f"{cell.seed} is no seed"
