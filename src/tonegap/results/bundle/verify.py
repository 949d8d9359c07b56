"""Every number of a bundle computed again from its predictions and truth; what differs is named.

What it cannot tell: whether the predictions come from the classifier that the record names. That takes the
data and a run. Nor can it tell what only the record says: where the stages ran, how long. A stage's key is the digest
of its ingredients (`stage.json`), so a record's seed, parameters and plug-ins must be what its stages were made from.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec

from tonegap.errors import BadRequest, StoreError, ToneGapError
from tonegap.formats.matrix import Completeness, Matrix, RunOutcome, completeness
from tonegap.lines import one_line
from tonegap.results.bundle.archive import Manifest, changed_files, extract, memory_for
from tonegap.results.bundle.declared_claims import spec_problems
from tonegap.results.bundle.recomputed import KEY, record_problems
from tonegap.store.layout import suite_unit
from tonegap.store.read import SuiteRun, read_suites
from tonegap.untrusted import DAMAGE, bounded_memory, reason, refused


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked, and each thing that is not as the bundle says, one sentence each."""

    n_records: int
    n_scores: int
    completeness: Completeness
    problems: tuple[str, ...]


def verify_folder(store: Path, suite: str) -> Checked:
    """Checks a bundle's records in a folder laid out as a store. A bundle without any record is a problem.

    Raises ToneGapError where a file cannot be read as what it is, or a run names a file outside of the folder.
    """
    suite_run = read_bundled(store, suite)
    records = [run.record for run in suite_run.runs if run.record]
    problems = [problem for run in suite_run.runs for problem in _run_problems(store, run)]
    if not records:
        problems.append("no run has a record, so there is nothing to check")
    tables = [t for r in records for s in r.scores.values() for t in s.tables.values()]
    return Checked(
        n_records=len(records),
        n_scores=sum(len(table.value) for table in tables),
        completeness=completeness(suite_run.runs),
        problems=tuple(one_line(problem) for problem in problems),
    )


def open_bundle(path: Path, folder: Path) -> tuple[Manifest, tuple[str, ...]]:
    """Extracts a bundle into an empty folder; what it says of itself, and every problem of it, one sentence each.

    Raises BadRequest for what is no bundle, ToneGapError where a file in it is damaged.
    """
    manifest = extract(path, folder)
    changed = changed_files(manifest, folder)
    return manifest, (*changed, *verify_folder(folder, manifest.suite).problems)


def verified_bundle(path: Path, folder: Path) -> SuiteRun:
    """The suite of a bundle, put into an empty folder, with every number computed again.

    Raises BadRequest for what is no bundle, a damaged one, or one whose numbers are not those of its predictions.
    """
    with refused(str(path)), bounded_memory(memory_for(path)):
        manifest, problems = open_bundle(path, folder)
    if problems:
        more = f" and {len(problems) - 1} more problems" if len(problems) > 1 else ""
        raise BadRequest(f"{path}: does not verify: {problems[0]}{more}; see `tonegap verify`")
    return read_bundled(folder, manifest.suite)


def read_bundled(store: Path, suite: str) -> SuiteRun:
    """The matrix and records of an extracted bundle, once it is known that its keys are keys, not paths.

    Raises ToneGapError for a file that is damaged or not what it should be.
    """
    with refused(suite_unit(one_line(suite)[:80])):
        path = store / suite_unit(suite)
        if Path(suite).name != suite or not path.is_file():
            raise BadRequest(
                f"{suite_unit(one_line(suite)[:80])}: missing; the bundle says that it is its suite"
            )
        matrix = msgspec.json.decode(path.read_bytes(), type=Matrix)
        keys = [run.key for run in matrix.runs]
        for key in (*keys, *matrix.sheets.keys(), *matrix.sheets.values()):
            if not KEY.fullmatch(key):
                raise BadRequest(f"{suite_unit(suite)}: {key[:80]!a} is no key of a run or stage")
        if len(set(keys)) < len(keys) or matrix.suite != suite:
            raise BadRequest(f"{suite_unit(suite)}: names a run twice, or another suite")
        try:
            (suite_run,) = read_suites(store, [suite])
        except StoreError as e:
            text = str(e).replace(f"{store}/", "").removesuffix("; remove it and run again")
            raise BadRequest(f"{text}; it does not verify") from None
        return suite_run


def _run_problems(store: Path, run: RunOutcome) -> Iterator[str]:
    if run.record is None:
        return
    where = f"{run.id.entry.label}, {run.id.task}, seed {run.id.seed}"
    try:
        for problem in (
            *spec_problems(store, run.id, run.record),
            *record_problems(store, run.record),
        ):
            yield f"{where}: {problem}"
    except ToneGapError as e:
        yield f"{where}: {str(e).replace(f'{store}/', '')}"
    except DAMAGE as e:
        yield f"{where}: cannot be computed again ({reason(e)})"
