"""All that a report of suites shows, gathered from a store: results, submissions, sheets, claims, alarms."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tonegap.report.board import Leaderboard
from tonegap.report.kept import first_truths, kept_answers, kept_truths, remembered
from tonegap.report.leaderboard import leaderboard
from tonegap.report.levelling import with_claims
from tonegap.report.quality import read_set_sheets
from tonegap.report.read import SuiteRun, merge_suites
from tonegap.report.settings import LeaderboardSettings
from tonegap.report.truths import truth_alarms
from tonegap.submissions.shelf import cells_on, read_shelf


def assemble(store: Path, suites: Sequence[SuiteRun], settings: LeaderboardSettings) -> Leaderboard:
    """The leaderboard of suites that ran in a store, beside the results of others for the same tasks.

    Raises StoreError for what is damaged, BadRequest for cells that contradict each other.
    """
    own = merge_suites(suites)
    tasks = {cell.id.task for cell in own}
    shelf = tuple(s for s in read_shelf(store) if not tasks.isdisjoint(s.submission.tasks))
    cells = own + cells_on(store, shelf, own)
    records = [cell.record for cell in cells if cell.record]
    answers = remembered(kept_answers(store, settings.selection))
    board = replace(
        leaderboard(cells, settings, answers),
        sheets=read_set_sheets(store, suites),
        submissions=shelf,
        truth_alarms=truth_alarms(records, kept_truths(store), first_truths(store)),
    )
    return with_claims(board, answers)
