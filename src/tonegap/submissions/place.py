"""Where a submission stands among the results of a store, one line for each of its entries."""

from collections.abc import Iterator
from pathlib import Path

from tonegap.errors import BadRequest
from tonegap.report.leaderboard import leaderboard
from tonegap.report.model import Row, Table
from tonegap.report.read import merge_suites, read_suites
from tonegap.report.settings import LeaderboardSettings
from tonegap.report.words import percent, ranking_rule
from tonegap.submissions.model import Submission
from tonegap.submissions.shelf import Shelved, cells_of, cells_on, new_cells, read_shelf


def places(
    store: Path, made: Path, submission: Submission, settings: LeaderboardSettings
) -> Iterator[str]:
    """A line for each task and entry: its score, and the rank that it has or would have.

    Raises BadRequest where all of it is in the store already.
    """
    here = merge_suites(read_suites(store))
    there = new_cells(cells_of(made, Shelved(submission.id, submission, ())), here)
    if not there:
        raise BadRequest(
            f"{submission.title}: every prediction in it is this store's own, byte for byte: it is confirmed, and "
            "there is nothing to add"
        )
    shelf = [shelved for shelved in read_shelf(store) if shelved.id != submission.id]
    board = leaderboard((*here, *cells_on(store, shelf, here), *there), settings)
    names = {cell.id.entry for cell in there}
    for table in board.tables:
        for row in table.all_rows:
            if row.entry in names:
                rule = ranking_rule(table)
                yield f"{table.task}: {row.entry.label}: {_score(row, table)}{rule}; {_rank(row)}"


def _score(row: Row, table: Table) -> str:
    scores = row.views[table.ranked].scores
    return f"{percent((scores.worst or scores.overall).value)} % "


def _rank(row: Row) -> str:
    if row.control:
        return "a control, never ranked"
    return f"rank {row.rank}" if row.rank is not None else f"no rank: {row.unranked}"
