"""Writes the card of a synthetic set, as model and data hubs show it: YAML front matter, then a data sheet.

The mistake it exists to prevent: a folder of synthetic images that is passed on without what it was made
from, whose licence it inherits, and what it must not be used for.
"""

import shlex
from dataclasses import dataclass

from tonegap.declared.dataset import DatasetFile, dataset_ids, read_dataset
from tonegap.declared.plugin import GIVEN_KINDS, PluginFile, plugin_ids, read_plugin
from tonegap.declared.report_settings import LeaderboardSettings
from tonegap.declared.task import read_task, task_ids
from tonegap.formats.quality_sheet import Sheet
from tonegap.formats.record import Record
from tonegap.report.pages.links import SETS, sheet_page
from tonegap.report.pages.templates import render_template
from tonegap.report.quality_text import quality_page
from tonegap.results.quality import SetSheet
from tonegap.store.source import ResultSource
from tonegap.synthetic.contents import SetContents, set_contents

_TEMPLATE = "set_card.md.j2"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"))
_LARGEST = "100K<n<1M"


@dataclass(frozen=True, slots=True)
class SetFacts:
    """A set with all that its card says; what is no longer there is None. `record` is one that trained on it."""

    made: SetSheet
    suite: str
    method: PluginFile | None
    dataset: DatasetFile | None
    task_title: str
    contents: SetContents | None
    record: Record | None


def set_facts(source: ResultSource, made: SetSheet) -> SetFacts:
    """The facts of a set that has a sheet. Raises BadSuiteFolder for a folder that is there and wrong."""
    root, stage = source.root, made.sheet.set.stage if made.sheet else ""
    suite = next((s for s in source.suites if made.key in s.matrix.sheets.values()), None)
    dataset, method = made.task.partition("/")[0], made.method
    records = [run.record for run in suite.runs if run.record] if suite else []
    return SetFacts(
        made=made,
        suite=suite.matrix.suite if suite else "",
        method=read_plugin(root, "method", method).file
        if method in plugin_ids(root, "method")
        else None,
        dataset=read_dataset(root, dataset).file if dataset in dataset_ids(root) else None,
        task_title=read_task(root, made.task).file.title
        if made.task in task_ids(root)
        else made.task,
        contents=set_contents(source.store, stage),
        record=next((r for r in records if any(s.key == stage for s in r.stages)), None),
    )


def set_card(facts: SetFacts, settings: LeaderboardSettings) -> str:
    """The card as Markdown; equal facts give equal text. For a set with a sheet."""
    sheet = facts.made.sheet
    if sheet is None:
        raise ValueError("a card is made from a quality sheet, and this set has none")
    declared = facts.method.parameters if facts.method else {}
    values = {
        "facts": facts,
        "page": quality_page(facts.made, sheet),
        "size": next((name for most, name in _SIZES if sheet.set.n < most), _LARGEST),
        "composition": _composition(facts.contents, sheet) if facts.contents else (),
        "given": sorted(name for name, spec in declared.items() if spec.kind in GIVEN_KINDS),
        "command": _command(facts.suite or "SUITE", sheet),
    }
    return render_template(settings, _TEMPLATE, values)


def _composition(contents: SetContents, sheet: Sheet) -> list[tuple[str, ...]]:
    """Images of each class by tone and in all; then those of all classes."""
    n_by_tone, counts = sheet.set.n_by_tone, contents.counts
    rows = []
    for label in sorted({label for label, _ in counts}):
        cells = (counts.get((label, tone), 0) for tone in n_by_tone)
        rows.append(
            (label, *(f"{n:,}" if n else "·" for n in cells), f"{contents.of_class(label):,}")
        )
    return [*rows, ("all", *(f"{n:,}" for n in n_by_tone.values()), f"{sheet.set.n:,}")]


def _command(suite: str, sheet: Sheet) -> str:
    """What makes the set again: the suite without what its name says of lists and subsets, and these as options."""
    data, options = sheet.set.data, ""
    if data.exclusions:
        suite = suite.rpartition("-without-")[0] or suite
        options = "".join(f" --exclude {shlex.quote(e.name)}" for e in data.exclusions)
    if data.subset is not None:
        suite = suite.removesuffix(f"-subset-{data.subset}")
        options = f" --subset {data.subset}{options}"
    roots = "" if data.drawn else f" --root {data.data_set}=DIR"
    return f"tonegap run {shlex.quote(suite)}{options}{roots}"


def card_path(made: SetSheet) -> str:
    """Where the card lies below a report."""
    return f"{SETS}/{sheet_page(made)}/README.md"
