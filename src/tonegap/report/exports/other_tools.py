"""Adds the files that other tools read to a report: Croissant for each task, a card for each synthetic set."""

from collections.abc import Iterator

from tonegap.declared.dataset import read_dataset
from tonegap.declared.task import read_task, task_ids
from tonegap.report.exports.croissant import croissant
from tonegap.report.exports.protocol import File
from tonegap.report.exports.set_card import card_path, set_card, set_facts
from tonegap.report.table_notes import ran_note
from tonegap.results.board import Leaderboard
from tonegap.store.source import ResultSource


def files(board: Leaderboard, source: ResultSource | None) -> Iterator[File]:
    """`croissant/TASK.json` (`/` as `-`) and `quality/NAME/README.md`; nothing without a source.

    A task that is no longer declared has none. Raises BadSuiteFolder for a folder that is wrong.
    """
    if source is None:
        return
    asked = {run.id.task for suite in source.suites for run in suite.runs}
    for task_id in sorted(asked.intersection(task_ids(source.root))):
        task = read_task(source.root, task_id)
        dataset = read_dataset(source.root, task.dataset_id)
        tables = [table for table in board.tables if table.task == task_id]
        ran = " ".join(dict.fromkeys(filter(None, map(ran_note, tables))))
        stand_in = any(table.question is not None and table.question.stand_in for table in tables)
        yield (
            f"croissant/{task_id.replace('/', '-')}.json",
            [croissant(dataset, task, ran=ran, stand_in=stand_in)],
        )
    for made in board.sheets:
        if made.sheet is not None:
            yield card_path(made), [set_card(set_facts(source, made), board.settings).encode()]
