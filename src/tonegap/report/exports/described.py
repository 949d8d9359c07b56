"""The files of a report that other tools read: Croissant for each task, a card for each synthetic set."""

from collections.abc import Sequence

from tonegap.declared.dataset import read_dataset
from tonegap.declared.task import read_task, task_ids
from tonegap.report.exports.croissant import croissant
from tonegap.report.exports.set_card import card_path, set_card
from tonegap.report.exports.sets import set_facts
from tonegap.results.quality import SetSheet
from tonegap.store.source import Source


def standard_files(source: Source, sheets: Sequence[SetSheet]) -> dict[str, bytes]:
    """Contents by path: `croissant/TASK.json` (`/` as `-`) and `quality/NAME/README.md`.

    A task that is no longer declared has none. Raises BadRoom for a room that is wrong.
    """
    asked = {cell.id.task for suite in source.suites for cell in suite.cells}
    files = {}
    for task_id in sorted(asked.intersection(task_ids(source.root))):
        task = read_task(source.root, task_id)
        dataset = read_dataset(source.root, task.dataset_id)
        files[f"croissant/{task_id.replace('/', '-')}.json"] = croissant(dataset, task)
    for made in sheets:
        if made.sheet is not None and made.page:
            files[card_path(made)] = set_card(set_facts(source, made)).encode()
    return files
