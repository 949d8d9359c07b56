"""Says where a submission ranks among the results of a store, one line for each of its entries."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from tonegap.declared.report_settings import LeaderboardSettings
from tonegap.errors import BadRequest
from tonegap.formats.matrix import RunOutcome
from tonegap.formats.record import Record
from tonegap.formats.submission import Submission
from tonegap.report.phrases import percent, ranking_rule
from tonegap.results.answers import AnswersOf, kept_answers, remembered
from tonegap.results.leaderboard import leaderboard
from tonegap.results.model import LeaderboardTable, Row
from tonegap.results.ranking import SHRUNKEN
from tonegap.results.submissions.stored import (
    StoredSubmission,
    new_runs,
    read_submissions,
    runs_of,
    submitted_runs,
)
from tonegap.scores.evidence.images import TestAnswers
from tonegap.store.read import merge_suites, read_suites


def places(
    store: Path, made: Path, submission: Submission, settings: LeaderboardSettings
) -> Iterator[str]:
    """A line for each task and entry: its score, and the rank that it has or would have.

    Raises BadRequest where all of it is in the store already.
    """
    here = merge_suites(read_suites(store))
    sent = runs_of(made, StoredSubmission(submission.id, submission, ()))
    there = new_runs(sent, here)
    if not there:
        raise BadRequest(
            f"{submission.title}: every prediction in it is this store's own, byte for byte: "
            f"{_known_as(sent, here)}there is nothing to add"
        )
    stored = [submitted for submitted in read_submissions(store) if submitted.id != submission.id]
    runs = (*here, *submitted_runs(store, stored, here), *there)
    board = leaderboard(runs, settings, _answers(store, made, submission, settings))
    names = {run.id.entry for run in there}
    for table in board.tables:
        for row in table.all_rows:
            if row.entry in names:
                rule = ranking_rule(table)
                yield f"{table.task}: {row.entry.label}: {_score(row, table)}{rule}; {_rank(row)}"


def _answers(
    store: Path, made: Path, submission: Submission, settings: LeaderboardSettings
) -> AnswersOf:
    """What entries of the store said of each image, and those of a submission that is not in it yet."""
    kept, sent = (kept_answers(folder, settings.selection) for folder in (store, made))
    prefix = f"{submission.id}:"

    def answers(record: Record) -> TestAnswers | None:
        stages = tuple(
            msgspec.structs.replace(s, key=s.key.removeprefix(prefix)) for s in record.stages
        )
        own = stages != record.stages
        return sent(msgspec.structs.replace(record, stages=stages)) if own else kept(record)

    return remembered(answers)


def _known_as(sent: Sequence[RunOutcome], own: Sequence[RunOutcome]) -> str:
    """Whose predictions of this store's own were sent, if under another name; else that they are confirmed."""
    ours = [(run.record.predictions_sha256, run.id.entry) for run in own if run.record]
    names: dict[str, str] = {}
    for record, entry in ((run.record, run.id.entry) for run in sent):
        mine = [e for sha256, e in ours if record and sha256 == record.predictions_sha256]
        theirs = (entry.method, entry.baseline, entry.backbone)
        if mine and theirs not in {(e.method, e.baseline, e.backbone) for e in mine}:
            names[msgspec.structs.replace(entry, variant="").label] = mine[0].label
    if not names:
        return "it is confirmed, and "
    return "".join(f"what it calls {theirs} is {mine} here, and " for theirs, mine in names.items())


def _score(row: Row, table: LeaderboardTable) -> str:
    scores = row.views[table.ranked].scores
    shrunken = row.shrunken.worst if row.shrunken and table.ranking.by == SHRUNKEN else None
    measured = (scores.worst or scores.overall).value
    return f"{percent(measured if shrunken is None else shrunken)} % "


def _rank(row: Row) -> str:
    if row.control:
        return "a control, never ranked"
    return f"rank {row.rank}" if row.rank is not None else f"no rank: {row.unranked}"
