"""Writes a static site of one leaderboard: its pages, the bundles it was made of, and a page that lists them."""

import json
import tempfile
from pathlib import Path

import msgspec

from tonegap import __version__
from tonegap.declared.report_settings import read_settings, titled
from tonegap.errors import StoreError, file_errors
from tonegap.files import sha256_file
from tonegap.report.pages.templates import render_template
from tonegap.report.write import PAGE_NAME, write_board, write_bytes, write_text
from tonegap.results.assemble import assemble, without_cycle_search
from tonegap.results.bundle.unite import UnitedBundles
from tonegap.store.source import ResultSource

_TEMPLATE = "bundles.html.j2"
_LISTING = Path("bundles/bundles.json")
_SCHEMA = "tonegap/board@1"


def write_site(
    root: Path, store: Path, united: UnitedBundles, out: Path, title: str | None
) -> Path:
    """Writes `index.html` and the pages of a report, `bundles/` with every archive, its page and `bundles.json`.

    `store` is what the bundles were united in. Returns the first page. The same bundles give the same files. What an
    earlier board wrote there and this one lacks is removed.
    Raises StoreError if the folder cannot be written, BadSuiteFolder for wrong settings or templates.
    """
    with without_cycle_search():
        settings = titled(read_settings(root), [run.matrix.title for run in united.suites])
        if title:
            settings = msgspec.structs.replace(settings, title=title)
        board = assemble(store, united.suites, settings, united.contested)
        with tempfile.TemporaryDirectory(prefix="tonegap-site-") as aside:
            write_board(board, Path(aside), ResultSource(root, store, united.suites))
            pages = _moved(Path(aside), out)
    rows = [
        {
            "file": f"{bundle.name}.tonegap.zip",
            "suite": bundle.suite,
            "title": bundle.title,
            "records": bundle.n_records,
            "complete": bundle.complete,
            "sha256": bundle.sha256,
        }
        for bundle in united.taken
    ]
    for bundle, row in zip(united.taken, rows, strict=True):
        write_bytes(out / "bundles" / str(row["file"]), bundle.path.read_bytes())
    listing = {
        "schema": _SCHEMA,
        "verified_with": f"tonegap {__version__}",
        "bundles": rows,
        "files": pages,
    }
    _remove_unlisted(out, {*pages, *(f"bundles/{row['file']}" for row in rows)})
    write_bytes(out / _LISTING, msgspec.json.format(msgspec.json.encode(listing), indent=1) + b"\n")
    values = {"report": settings.title, "bundles": rows, "version": __version__}
    write_text(out / "bundles" / "index.html", render_template(settings, _TEMPLATE, values))
    return out / PAGE_NAME


def _moved(folder: Path, out: Path) -> dict[str, str]:
    """Puts each file of a folder to its place below `out`, the first page last; their digests by path."""
    paths = [p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()]
    pages = {}
    # First what tells that it is a report, so that a board that was cut short can be made again.
    for path in sorted(paths, key=lambda p: (p == PAGE_NAME, p != "leaderboard.json", p)):
        write_bytes(out / path, (folder / path).read_bytes())
        pages[path] = sha256_file(folder / path)
    return dict(sorted(pages.items()))


def _remove_unlisted(out: Path, kept: set[str]) -> None:
    """Removes what a board in this folder once wrote and no longer has: bundles withdrawn, and the pages of them.

    Known by the listing that lies there, and only while it is as it was written; anything else in the folder stays.
    """
    try:
        said = json.loads((out / _LISTING).read_bytes())
        if said["schema"] != _SCHEMA:
            return
        written = {f"bundles/{row['file']}": row["sha256"] for row in said["bundles"]}
        written |= said.get("files", {})
    except (OSError, ValueError, LookupError, TypeError):
        return
    for path, sha256 in sorted(written.items()):
        target = out / path
        if path in kept or ".." in Path(path).parts or not target.is_file() or target.is_symlink():
            continue
        if not target.resolve().is_relative_to(out.resolve()) or sha256_file(target) != sha256:
            continue
        with file_errors(StoreError, f"{target}: of an earlier board; cannot be removed"):
            target.unlink()
