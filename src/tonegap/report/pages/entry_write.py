"""The pages of a report's entries as files: `entries/NAME.html`, and `entries/NAME.toml` to run each again."""

import difflib
from collections.abc import Callable, Iterable

from tonegap.errors import BadRequest
from tonegap.report.pages.entry_kept import Readers, entry_kept
from tonegap.report.pages.entry_page import EntryPage, entry_page, links_of
from tonegap.report.pages.entry_suite import Given, given_paths, reproduction
from tonegap.report.pages.html import render_template
from tonegap.report.pages.names import FOLDER, entry_pages, page_name
from tonegap.results.answers import kept_answers, kept_epochs
from tonegap.results.board import Leaderboard
from tonegap.results.model import LeaderboardTable, Row
from tonegap.store.source import ResultSource

TEMPLATE = "entry.html.j2"


def entry_files(board: Leaderboard, source: ResultSource) -> dict[str, bytes]:
    """Contents by path of every entry that has a page. Raises StoreError, BadRoom for a wrong template."""
    paged = [(table, entry_pages(board, table)) for table in board.tables]
    rows = [(table, row) for table, pages in paged for row in table.all_rows if row.entry in pages]
    return files_of(board, rows, source, lambda _: True)


def files_of(
    board: Leaderboard,
    rows: Iterable[tuple[LeaderboardTable, Row]],
    source: ResultSource,
    is_there: Callable[[str], bool],
) -> dict[str, bytes]:
    """The files of some rows that have a record each; `is_there`: whether the report has a page of that path."""
    readers = Readers(
        kept_answers(source.store, board.settings.selection), kept_epochs(source.store), source
    )
    files: dict[str, bytes] = {}
    given: Given | None = None
    for table, row in rows:
        given = given_paths(source.root) if given is None else given
        name, kept = page_name(table, row), entry_kept(board, table, row, readers)
        again = reproduction(row, f"{name}.toml", kept.setting, given)
        page = entry_page(kept, links_of(kept, board.sheets, is_there), again)
        files[f"{FOLDER}/{name}.html"] = render_entry(page, name, board).encode()
        if again.suite:
            files[f"{FOLDER}/{name}.toml"] = again.suite.encode()
    return files


def render_entry(page: EntryPage, name: str, board: Leaderboard) -> str:
    """The page, with the report's stamps; the same entry gives the same text.

    Raises BadRoom for a wrong template.
    """
    values = {"page": page, "name": name, "stamps": board.stamps}
    return render_template(board.settings, TEMPLATE, values)


def rows_named(board: Leaderboard, label: str) -> list[tuple[LeaderboardTable, Row]]:
    """Every row of that label with a result, one for each task that has it.

    Raises BadRequest where there is none, naming the labels most like it, or saying why it has no result.
    """
    rows = [(table, row) for table in board.tables for row in table.all_rows]
    found = [(table, row) for table, row in rows if _plain(row.entry.label) == _plain(label)]
    if not found:
        labels = dict.fromkeys(row.entry.label for _, row in rows)
        near = difflib.get_close_matches(label, labels, n=3, cutoff=0.4)
        known = f"most like it: {', '.join(near)}" if near else f"there are {len(labels)}"
        raise BadRequest(f"--entry {label}: no entry of that label in this report; {known}")
    finished = [(table, row) for table, row in found if row.records]
    if not finished:
        why = next(seed.hole.text for seed in found[0][1].seeds if seed.hole)
        raise BadRequest(f"--entry {label}: no seed of it has a result: {why}")
    return finished


def _plain(label: str) -> str:
    """A label as people may type it: spaces and case do not matter."""
    return "".join(label.lower().split())
