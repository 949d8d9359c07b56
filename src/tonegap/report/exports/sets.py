"""What a store and a suite root know of a synthetic set beyond its quality sheet: for its card.

What is no longer there is None, and the card says so.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tonegap.declared.dataset import DatasetFile, dataset_ids, read_dataset
from tonegap.declared.plugin import PluginFile, plugin_ids, read_plugin
from tonegap.declared.task import read_task, task_ids
from tonegap.errors import BadOutput, StoreError
from tonegap.files import is_there
from tonegap.formats.lineage import UNKNOWN_SOURCE, read_lineage
from tonegap.formats.record import Record
from tonegap.results.quality import SetSheet
from tonegap.store.layout import stage_unit
from tonegap.store.read import SuiteRun
from tonegap.store.seals import AGAIN, damage
from tonegap.store.source import ResultSource
from tonegap.synthetic.manifest import read_synthetic

_UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class DescribedPart:
    """A learned part: SHA-256 of its file ("" for a whole fit that named none) and its training images."""

    name: str
    sha256: str
    n_sources: int


@dataclass(frozen=True, slots=True)
class Contents:
    """What a set's files say: images by class and tone asked for, prompts by how often, origins.

    `n_sources` real images are named as sources; of `n_unknown` images nobody says what they were made from.
    """

    counts: Mapping[tuple[str, str], int]
    prompts: tuple[tuple[str, int], ...]
    n_sources: int
    n_unknown: int
    parts: tuple[DescribedPart, ...]


@dataclass(frozen=True, slots=True)
class SetFacts:
    """A set with all that its card says; `record` is one that trained on it."""

    made: SetSheet
    suite: str
    method: PluginFile | None
    dataset: DatasetFile | None
    task_title: str
    contents: Contents | None
    record: Record | None


def set_facts(source: ResultSource, made: SetSheet) -> SetFacts:
    """The facts of a set that has a sheet. Raises BadRoom for a folder that is there and wrong."""
    stage = made.sheet.set.stage if made.sheet else ""
    suite = next((s for s in source.suites if made.key in s.matrix.sheets.values()), None)
    dataset_id = made.task.partition("/")[0]
    known = dataset_id in dataset_ids(source.root)
    return SetFacts(
        made=made,
        suite=suite.matrix.suite if suite else "",
        method=_method(source.root, made.method),
        dataset=read_dataset(source.root, dataset_id).file if known else None,
        task_title=_task_title(source.root, made.task),
        contents=_contents(source.store, stage),
        record=_record(suite, stage) if suite else None,
    )


def _method(root: Path, method: str) -> PluginFile | None:
    if method not in plugin_ids(root, "method"):
        return None
    return read_plugin(root, "method", method).file


def _task_title(root: Path, task_id: str) -> str:
    return read_task(root, task_id).file.title if task_id in task_ids(root) else task_id


def _record(suite: SuiteRun, stage: str) -> Record | None:
    """The first record of the suite that has the generate stage among its own."""
    for cell in suite.cells:
        if cell.record and any(one.key == stage for one in cell.record.stages):
            return cell.record
    return None


def _contents(store: Path, stage: str) -> Contents | None:
    """What the files of a generate stage say; None where they are gone. Raises StoreError for changed ones."""
    folder = store / stage_unit(stage)
    said = damage(store, stage_unit(stage), without=("images",)) if is_there(folder) else None
    if said:
        raise StoreError(f"{store}: {said}; {AGAIN}")
    try:
        rows, lineage = read_synthetic(folder), read_lineage(folder)
    except BadOutput:
        return None
    prompts = Counter(row.prompt for row in rows if row.prompt)
    named = {one for row in rows for one in row.sources if one != UNKNOWN_SOURCE}
    parts = sorted(lineage.parts.items())
    return Contents(
        counts=Counter((row.label, row.tone or _UNKNOWN) for row in rows),
        prompts=tuple(sorted(prompts.items(), key=lambda pair: (-pair[1], pair[0]))),
        n_sources=len(named),
        n_unknown=sum(1 for row in rows if UNKNOWN_SOURCE in row.sources),
        parts=tuple(DescribedPart(name, part.sha256, len(part.sources)) for name, part in parts),
    )
