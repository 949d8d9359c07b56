"""A static site of one leaderboard: its pages, the bundles it was made of, and a page that lists them."""

from pathlib import Path

import msgspec

from tonegap import __version__
from tonegap.report.pages.html import render_template
from tonegap.report.write import write_board, write_bytes, write_text
from tonegap.results.assemble import assemble, without_cycle_search
from tonegap.results.bundle.union import UnitedBundles
from tonegap.results.settings import read_settings, titled
from tonegap.store.source import ResultSource

_TEMPLATE = "bundles.html.j2"


def write_site(
    root: Path, store: Path, united: UnitedBundles, out: Path, title: str | None
) -> Path:
    """Writes `index.html` and the pages of a report, `bundles/` with every archive, its page and `bundles.json`.

    `store` is what the bundles were united in. Returns the first page. The same bundles give the same files.
    Raises StoreError if the folder cannot be written, BadRoom for wrong settings or templates.
    """
    with without_cycle_search():
        settings = titled(read_settings(root), [run.matrix.title for run in united.suites])
        if title:
            settings = msgspec.structs.replace(settings, title=title)
        board = assemble(store, united.suites, settings, united.contested)
        page = write_board(board, out, ResultSource(root, store, united.suites))
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
        "schema": "tonegap/board@1",
        "verified_with": f"tonegap {__version__}",
        "bundles": rows,
    }
    encoded = msgspec.json.format(msgspec.json.encode(listing), indent=1) + b"\n"
    write_bytes(out / "bundles" / "bundles.json", encoded)
    values = {"report": settings.title, "bundles": rows, "version": __version__}
    write_text(out / "bundles" / "index.html", render_template(settings, _TEMPLATE, values))
    return page
