"""A suite's report where `tonegap run` says it is; made again only when something it shows changed."""

from pathlib import Path

from tonegap.files import digest_of, folder_digest, sha256_file
from tonegap.run.matrix import Matrix
from tonegap.run.sheet_maker import SHEET, sheet_folder

_STAMP = "made-from"


def publish_suite(root: Path, store: Path, matrix: Matrix) -> Path:
    """Writes the report of a suite that ran in this store and returns its page.

    Raises StoreError for a damaged record or a folder that cannot be written, BadRoom for wrong settings.
    """
    out = store / "report" / matrix.suite
    stamp = out / _STAMP
    made_from = _digest(root, store, matrix)
    page = out / "index.html"
    if page.exists() and stamp.exists() and stamp.read_text(encoding="utf-8") == made_from:
        return page
    # matplotlib and the templates: not for a run that changed nothing.
    from tonegap.report.kept import kept_answers
    from tonegap.report.quality import read_set_sheets
    from tonegap.report.read import read_suites
    from tonegap.report.settings import read_settings, titled
    from tonegap.report.write import write_report, write_text

    (suite,) = read_suites(store, [matrix.suite])
    settings = titled(read_settings(root), [matrix.title])
    answers = kept_answers(store, settings.selection)
    page = write_report(suite.cells, settings, out, read_set_sheets(store, [suite]), answers)
    write_text(stamp, made_from)
    return page


def _digest(root: Path, store: Path, matrix: Matrix) -> str:
    """Digest of all that the report is made from: cells and what is there for each, settings, code."""
    found = []
    for cell in matrix.cells:
        for folder in ("records", "failures"):
            path = store / folder / f"{cell.key}.json"
            if path.exists():
                found.append([folder, sha256_file(path)])
    for key in matrix.sheets.values():
        sheet = sheet_folder(store, key) / SHEET
        if sheet.exists():
            found.append([key, sha256_file(sheet)])
    return digest_of(
        [
            [matrix.suite, matrix.title, [repr(cell) for cell in matrix.cells]],
            found,
            folder_digest(root / "reports"),
            folder_digest(Path(__file__).parent),
        ]
    )
