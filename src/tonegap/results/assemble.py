"""All that a report of suites shows, gathered from a store: results, submissions, sheets, claims, alarms."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from tonegap.declared.report_settings import LeaderboardSettings
from tonegap.results.answers import first_truths, kept_answers, kept_truths, remembered
from tonegap.results.board import Leaderboard
from tonegap.results.leaderboard import leaderboard
from tonegap.results.levelling import with_claims
from tonegap.results.quality import read_set_sheets
from tonegap.results.submissions.stored import read_submissions, submitted_runs
from tonegap.results.truths import truth_alarms
from tonegap.store.read import SuiteRun, merge_suites


@contextmanager
def without_cycle_search() -> Iterator[None]:
    """Holds back Python's search for cycles; afterwards none is made among what was made inside and is still there.

    A board is millions of small values without a cycle. Looking for cycles among them again and again takes longer
    than making them.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.freeze()
            gc.enable()


def assemble(
    store: Path,
    suites: Sequence[SuiteRun],
    settings: LeaderboardSettings,
    contested: Mapping[str, str] | None = None,
) -> Leaderboard:
    """The leaderboard of suites that ran in a store, beside the external submissions to the same tasks.

    `contested`: for suites of several origins, the tasks on whose truth they disagree, and how: nothing of these is
    ranked, and it is said in place of what truths say against the first.

    Raises StoreError for what is damaged, BadRequest for runs that contradict each other.
    """
    own = merge_suites(suites)
    tasks = {run.id.task for run in own}
    sent = tuple(s for s in read_submissions(store) if not tasks.isdisjoint(s.submission.tasks))
    runs = own + submitted_runs(store, sent, own)
    records = [run.record for run in runs if run.record]
    answers = remembered(kept_answers(store, settings.selection))
    board = replace(
        leaderboard(runs, settings, answers, contested or {}),
        sheets=read_set_sheets(store, suites),
        submissions=sent,
        truth_alarms=tuple(contested.values())
        if contested is not None
        else truth_alarms(records, kept_truths(store), first_truths(store)),
    )
    return with_claims(board, answers)
