"""Which rows of a report have a page of their own, and what it is called.

The mistake it exists to prevent: two entries on one page, or a link to a page that is not there.
"""

import re
from dataclasses import asdict

from tonegap.files import digest_of
from tonegap.formats.record import EntryId
from tonegap.results.board import Leaderboard
from tonegap.results.model import Row, Table

FOLDER = "entries"
CARDS = "methods"
_DIGITS = 10
_MAX_SLUG = 90


def entry_pages(board: Leaderboard, table: Table) -> dict[EntryId, str]:
    """The names, without suffix, of the pages of a table's entries; none in a report of one file.

    Those of the first `n_details` rows and of the controls, as far as they have a result.
    """
    n = board.settings.n_details
    if not (board.site and n):
        return {}
    rows = (*table.rows[:n], *table.controls)
    return {row.entry: page_name(table, row) for row in rows if row.records}


def page_name(table: Table, row: Row) -> str:
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


def _parts(entry: EntryId) -> tuple[str, str, str, str]:
    return entry.method, entry.baseline, entry.backbone, entry.variant
