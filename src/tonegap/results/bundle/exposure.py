"""Holds what a record says of files that were trained elsewhere against what is declared of plug-ins and digests.

The mistake it exists to prevent: a model that has seen the test images, or of which nobody knows, under a record that
says that it has not.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec

from tonegap.declared.exposure import EXPOSURE, WORST, Known, answers, read_exposure
from tonegap.declared.plugin import FOLDERS, SeenBy, plugin_ids
from tonegap.declared.split_rules import SplitRule
from tonegap.declared.task import tested_data_sets
from tonegap.formats.job import Parameter
from tonegap.formats.matrix import RunOutcome
from tonegap.formats.record import Exposure, Record
from tonegap.store.read import SuiteRun
from tonegap.untrusted import remove_tree

Own = Mapping[str, Mapping[str, SeenBy]]


def parameters_by_label(record: Record) -> dict[str, Mapping[str, Parameter]]:
    """The parameters of each plug-in that made a record, its bank's extractor too, by label (`methods/none`)."""
    values = record.plugin_parameters
    return {f"{FOLDERS[kind]}/{one}": values[kind] for kind, one in record.plugins.items()}


def half_problems(record: Record, rule: SplitRule, *, here: bool) -> Iterator[str]:
    """What a task's split has against the data sets that a record says are tested on: they decide its mark."""
    found = tested_data_sets(rule, record.data.joined)
    if record.data.tested and set(record.data.tested) != set(found):
        which = "here" if here else "that came along"
        said, wanted = ", ".join(record.data.tested), ", ".join(found) or "all that are joined"
        yield f"says that its test images are of {said}; by the task {which} they are of {wanted}"


def exposure_problems(record: Record, own: Own, known: Known, *, here: bool) -> Iterator[str]:
    """What is declared in the suite root (`here`) or in the bundle itself against what a record says was not seen.

    `own`: the `own_exposure` of each plug-in that is there, by label; `known`: answers by SHA-256. Of the bundle itself
    a "no" needs an answer for the file's digest; the suite root need not know every file.
    """
    where = "what is declared here" if here else "the files that came along"
    said = record.exposure or ()
    for label, parameters in parameters_by_label(record).items():
        files = _files(parameters)
        for name, sha256 in files or [("", "")]:
            mine = [one for one in said if one.plugin == label and one.file in (name, "")]
            told = [one.seen for one in mine]
            if files and not told and (record.exposure or record.bank):
                yield f"says nothing of whether {name} of {label} was trained on the data set's images"
                continue
            silent = "unknown" if files else "no"
            claim = max(told, key=WORST.index, default=silent)
            trained = [one.in_training for one in mine if one.in_training]
            of_trained = max(trained, key=WORST.index, default=silent)
            claims = dict.fromkeys(record.data.asked, claim)
            claims |= dict.fromkeys(record.data.trained_on, of_trained)
            for data_set, claim in claims.items():
                said_of = answers(own.get(label, {}), sha256, data_set, known)
                # What the suite root does not know is not refused: `with_doubts` reads it as unknown.
                unsaid = "unknown" if files and not here else "no"
                found = max((one.answer for one in said_of), key=WORST.index, default=unsaid)
                if WORST.index(claim) < WORST.index(found):
                    yield (
                        f"says {claim!r} of whether {name or 'what'} {'of' if name else 'comes with'} {label} was "
                        f"trained on images of {data_set}; by {where} it is {found!r}"
                    )


def with_doubts(record: Record, root: Path) -> Record:
    """A stranger's record, in which a "no" that nothing declared in a suite root confirms is unknown.

    Confirmed is a file whose digest is declared there for each data set. Of what comes with an extractor that is not
    there only the stranger speaks. A record that is not clean by its own word is left as it is.
    """
    if record.seen != "no":
        return record
    known, there = read_exposure(root), plugin_ids(root, "extractor")
    doubts = [
        Exposure(label, name, "unknown", "nothing is declared here about this file")
        for label, parameters in parameters_by_label(record).items()
        for name, sha256 in _files(parameters)
        if any(one not in known.get(sha256, {}) for one in record.data.asked)
    ]
    if record.bank and record.bank.extractor not in there:
        label = f"extractors/{record.bank.extractor}"
        doubts.append(Exposure(label, "", "unknown", "this extractor is not here"))
    told = (*(record.exposure or ()), *doubts)
    return msgspec.structs.replace(record, exposure=told) if doubts else record


def run_with_doubts(suite_run: SuiteRun, root: Path) -> SuiteRun:
    """A stranger's suite with each record as `with_doubts` reads it."""

    def doubted(run: RunOutcome) -> RunOutcome:
        return msgspec.structs.replace(run, record=run.record and with_doubts(run.record, root))

    return replace(suite_run, runs=tuple(map(doubted, suite_run.runs)))


def keep_declared(root: Path, records: Iterable[Record], place: Path) -> None:
    """Makes a folder the one with what `with_doubts` reads of a suite root for some records."""
    if place.exists():  # a bundle may bring one of that name
        remove_tree(place)
    banks = sorted({record.bank.extractor for record in records if record.bank})
    extractors = (Path("extractors") / name / "extractor.toml" for name in banks)
    for name in (EXPOSURE, *extractors):
        if (root / name).is_file():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes((root / name).read_bytes())


def _files(parameters: Mapping[str, Parameter]) -> list[tuple[str, str]]:
    """The local files among parameters as (name, SHA-256)."""
    forms = (str(value).rpartition("#sha256=") for value in parameters.values())
    return [(name, sha256) for name, mark, sha256 in forms if mark]
