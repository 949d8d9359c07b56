"""Writes an entry as a suite file of its own: what `tonegap run` takes to make the same records again.

Every parameter is spelled as the records have it, so that neither a changed default nor a `--set` that
somebody typed is lost.
"""

import shlex
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tonegap.declared.local_files import public_form
from tonegap.declared.plugin import FOLDERS
from tonegap.declared.suite import EntryRows, Limits, SuiteFile, read_suite, suite_ids
from tonegap.declared.suite_toml import suite_toml
from tonegap.engines import ENGINES
from tonegap.errors import ToneGapError
from tonegap.formats.job import DEVICES, Parameter
from tonegap.formats.record import Record
from tonegap.lines import one_line
from tonegap.results.entry_answers import StageSetting
from tonegap.results.model import Row

Given = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Reproduction:
    """How to make a row's records again: a command and the suite file it names; or why there is none.

    `remarks` are sentences about what the reader has to add.
    """

    command: str
    suite: str
    remarks: tuple[str, ...]
    why_not: str = ""


def reproduction(row: Row, name: str, setting: StageSetting, given: Given) -> Reproduction:
    """The command and file for a row; `name` is the file's, `given` maps files as records have them to paths."""
    if "external predictions" in row.marks:
        why = "its predictions were made elsewhere, and only those are here"
        return Reproduction("", "", (), f"no command makes this row again: {why}")
    records = row.records
    recipes = {repr(r.plugin_parameters) for r in records}
    if not records or len(recipes) > 1:
        why = "its seeds ran with different parameters" if records else "it has no result"
        return Reproduction("", "", (), f"no single command makes this row again: {why}")
    record = records[0]
    file = _suite_file(row, record, setting, given)
    comment = f"{record.entry.label} on {record.task}, with every parameter as it ran.\ntonegap run {name}"
    command = shlex.join(["tonegap", "run", name, *_options(record, setting)])
    return Reproduction(command, suite_toml(file, comment), tuple(_remarks(record, given)))


def given_paths(root: Path) -> dict[str, str]:
    """Local files and folders that the suites of a root name: as records have them, to as they are written."""
    found: dict[str, str] = {}
    for suite in suite_ids(root):
        try:
            file = read_suite(root, suite).file
        except ToneGapError:
            continue  # `tonegap check` says what is wrong with it
        for value in _values(file):
            public = public_form(value)
            if public is not None and isinstance(value, str):
                found.setdefault(public, value)
    return found


def _suite_file(row: Row, record: Record, setting: StageSetting, given: Given) -> SuiteFile:
    entry = record.entry
    baseline = {n: v for n, v in record.baseline_parameters.items() if n != "backbone"}
    backbones = (entry.backbone,) if entry.backbone else ()
    bank = record.bank
    shared = {f"{FOLDERS['extractor']}/{bank.extractor}": bank.parameters} if bank else {}
    rows = EntryRows(
        methods=(entry.method,),
        baselines=(entry.baseline,),
        backbones=backbones,
        variant=entry.variant,
        method_parameters=_spelled(record.method_parameters, given),
        baseline_parameters=_spelled(baseline, given),
        postprocessors=(entry.postprocessor,) if entry.postprocessor else (),
        postprocessor_parameters=_spelled(record.postprocessor_parameters, given),
    )
    return SuiteFile(
        title=f"{entry.label} on {record.task}",
        about="One entry of a report, to be run again.",
        tasks=(record.task,),
        seeds=tuple(seed.seed for seed in row.seeds),
        entries=(rows,),
        limits=Limits(),
        parameters={label: _spelled(values, given) for label, values in shared.items()},
        threads=setting.threads,
        numerics=record.numerics,
        subset=record.data.subset,
    )


def _spelled(parameters: Mapping[str, Parameter], given: Given) -> dict[str, Parameter]:
    return {
        name: given.get(value, value) if isinstance(value, str) else value
        for name, value in parameters.items()
    }


def _options(record: Record, setting: StageSetting) -> list[str]:
    """The options of the command. Only engines and devices that exist: an external record may say anything."""
    found = []
    engine = record.circumstances.isolation.engine
    if engine in ENGINES and engine != "local":
        found += ["--engine", engine]
    if setting.device in DEVICES and setting.device != "cpu":
        found += ["--device", setting.device]
    if record.data.stand_in or not record.data.drawn:
        found += ["--root", "DIR"]
    if record.data.missing:
        found.append("--allow-missing")
    for exclusion in record.data.exclusions:
        found += ["--exclude", one_line(exclusion.name)]
    return found


def _remarks(record: Record, given: Given) -> Iterable[str]:
    engine = record.circumstances.isolation.engine
    if engine not in ENGINES:
        claimed = one_line(engine.removeprefix("says: "))
        yield f"By its bundle the engine was {claimed!r}; which --engine you take is yours to choose."
    if record.data.stand_in:
        yield (
            "DIR is the folder with the synthetic phantoms that stand in for the real images "
            "(tonegap data phantom --like CSV --out DIR, where CSV is the metadata)."
        )
    elif record.data.joined:
        yield f"DIR has your own downloads of {' and '.join(record.data.joined)}, each in a folder of its name."
    elif not record.data.drawn:
        yield f"DIR is your own download of {record.data.data_set}."
    for exclusion in record.data.exclusions:
        yield f"{one_line(exclusion.name)} is a list of ids whose SHA-256 is {exclusion.sha256}."
    for values in record.plugin_parameters.values():
        for name, value in values.items():
            if public_form(value) == value and value not in given:
                yield f"The file of {name} is not known here: put its folder before {value!r}."


def _values(file: SuiteFile) -> Iterable[Parameter]:
    for row in file.entries:
        yield from row.method_parameters.values()
        yield from row.baseline_parameters.values()
        yield from row.postprocessor_parameters.values()
    for values in file.parameters.values():
        yield from values.values()
