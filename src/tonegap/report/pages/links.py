"""Decides which rows of a report have a page of their own, and names the pages.

The mistake it exists to prevent: two entries on one page, or a link to a page that is not there.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict

from tonegap.files import digest_of
from tonegap.formats.record import EntryId
from tonegap.report.phrases import table_name
from tonegap.results.board import Leaderboard
from tonegap.results.claims import Claims
from tonegap.results.model import LeaderboardTable, Row
from tonegap.results.quality import SetSheet

ENTRIES = "entries"
CARDS = "methods"
COMPARE = "compare.html"
ACROSS = "across.html"
SETS = "quality"
KEY_DIGITS = 8  # of a sheet's key in the name of its pages
_DIGITS = 10
_MAX_SLUG = 90


def sheet_page(made: SetSheet) -> str:
    """The name, without suffix, of the pages of a set's sheet; "" where it has none."""
    if made.sheet is None:
        return ""
    task = made.task.replace("/", "-")
    return f"{made.method}-{task}-seed{made.seed}-{made.key[:KEY_DIGITS]}"


def pair_links(board: Leaderboard, claims: Claims) -> dict[str, str]:
    """By entry's label: the address of its comparison with its reference, with the first where it has none.

    Empty for a table without pairs.
    """
    if claims.pairs is None:
        return {}
    place, rows = task_slugs(board)[id(claims)], claims.pairs.rows
    names = dict(
        zip((row.entry for row in rows), slugs([row.entry.label for row in rows]), strict=True)
    )
    references = [row for row in rows if "reference" in row.marks]
    found = {}
    for row in rows:
        alike = [r for r in references if r.entry.backbone == row.entry.backbone]
        other = (*alike, *references, rows[0])[0]
        if other is not row:
            found[row.entry.label] = f"{COMPARE}#{place}/{names[row.entry]}/{names[other.entry]}"
    return found


def task_slugs(board: Leaderboard) -> dict[int, str]:
    """The name of each table with claims in addresses, by the id of its claims."""
    names = slugs([table_name(claims.table) for claims in board.claims])
    return dict(zip(map(id, board.claims), names, strict=True))


def slugs(labels: Sequence[str]) -> list[str]:
    """Names for addresses, in letters, digits and hyphens; labels that would share one are numbered."""
    plain = [re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-") or "entry" for label in labels]
    seen: Counter[str] = Counter()
    found: list[str] = []
    for name in plain:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name}--{seen[name]}")
    return found


def entry_pages(board: Leaderboard, table: LeaderboardTable) -> dict[EntryId, str]:
    """The names, without suffix, of the pages of a table's entries: of the first `n_details` rows and of the controls.

    None for an entry without a result, and none at all where `n_details` is 0.
    """
    n = board.settings.n_details
    rows = (*table.rows[:n], *table.controls) if n else ()
    return {row.entry: page_name(table, row) for row in rows if row.records}


def page_name(table: LeaderboardTable, row: Row) -> str:
    """The name of a row's page: readable, and another for each entry and question.

    The words alone could be the same for two (`a-b` and `a b`); the digest at the end is of both in full.
    """
    question = asdict(table.question) if table.question else {}
    identity = digest_of([table.task, question, row.entry.label, list(_parts(row.entry))])
    words = re.sub(r"[^a-z0-9]+", "-", f"{row.entry.label} {table.task}".lower()).strip("-")
    return f"{words[:_MAX_SLUG].strip('-')}-{identity[:_DIGITS]}"


def card_name(kind: str, plugin_id: str) -> str:
    """The name of a plug-in's card: a method's its own, a baseline's `NAME.baseline`.

    Ids have no dot, so a method and a baseline of one name have a card each.
    """
    return plugin_id if kind == "method" else f"{plugin_id}.{kind}"


def _parts(entry: EntryId) -> tuple[str, ...]:
    behind = (entry.postprocessor,) if entry.postprocessor else ()
    return (entry.method, entry.baseline, entry.backbone, entry.variant, *behind)
