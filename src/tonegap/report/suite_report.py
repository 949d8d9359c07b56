"""Writes a suite's report where `tonegap run` says it is, again only when something that it shows changed."""

from pathlib import Path

import tonegap
from tonegap.declared.dataset import BENCHMARKS
from tonegap.declared.parity import FOLDER as PARITY
from tonegap.declared.plugin import FOLDERS
from tonegap.files import digest_of, folder_digest, sha256_file
from tonegap.formats.matrix import Matrix
from tonegap.run.sheet_maker import SHEET, sheet_folder
from tonegap.store.layout import FIRST_TRUTHS, REPORT, failure_unit, record_unit
from tonegap.store.repeats import repeats_path

_STAMP = "made-from"


def publish_suite(root: Path, store: Path, matrix: Matrix) -> Path:
    """Writes the report of a suite that ran in this store and returns its page.

    Raises StoreError for a damaged record or a folder that cannot be written, BadSuiteFolder for wrong settings.
    """
    out = store / REPORT / matrix.suite
    stamp = out / _STAMP
    made_from = _digest(root, store, matrix)
    page = out / "index.html"
    if page.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == made_from:
        return page
    # the templates: not for a run that changed nothing.
    from tonegap.declared.report_settings import read_settings, titled
    from tonegap.report.write import write_board, write_text
    from tonegap.results.assemble import assemble
    from tonegap.store.read import read_suites
    from tonegap.store.source import ResultSource

    (suite,) = read_suites(store, [matrix.suite])
    settings = titled(read_settings(root), [matrix.title])
    page = write_board(assemble(store, [suite], settings), out, ResultSource(root, store, [suite]))
    write_text(stamp, made_from)
    return page


def _digest(root: Path, store: Path, matrix: Matrix) -> str:
    """Digest of all that the report is made from: runs and what is there for each, submissions, settings, code."""
    from tonegap.results.submissions.stored import read_submissions

    results = []
    for run in matrix.runs:
        kept = (store / record_unit(run.key), store / failure_unit(run.key))
        there = [path for path in (*kept, repeats_path(store, run.key)) if path.is_file()]
        results += [[path.parent.name, sha256_file(path)] for path in there]
    for key in matrix.sheets.values():
        sheet = sheet_folder(store, key) / SHEET
        if sheet.is_file():
            results.append([key, sha256_file(sheet)])
    # All that is declared: pages name data sets, plug-ins and certificates that no run of this suite has.
    declared = (BENCHMARKS, PARITY, *FOLDERS.values())
    files = sorted(path for folder in declared for path in (root / folder).rglob("*.toml"))
    truths = sorted(path for path in (store / FIRST_TRUTHS).glob("*") if path.is_file())
    return digest_of(
        [
            [matrix.suite, matrix.title, [repr(run) for run in matrix.runs]],
            results,
            [[s.id, s.changed] for s in read_submissions(store)],
            [[path.name, sha256_file(path)] for path in truths],
            folder_digest(root / "reports"),
            [[path.relative_to(root).as_posix(), sha256_file(path)] for path in files],
            folder_digest(Path(tonegap.__path__[0])),
        ]
    )
