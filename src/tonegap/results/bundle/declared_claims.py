"""Holds the marks of a record against the files of data sets and plug-ins, those here or those in its bundle."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from tonegap.declared.dataset import dataset_place
from tonegap.declared.exposure import own_exposure, read_exposure
from tonegap.declared.plugin import FOLDERS, PLUGIN_ID, SeenBy, plugin_place
from tonegap.declared.task import read_task, task_ids
from tonegap.declared.toml import read_toml
from tonegap.formats.matrix import RunId
from tonegap.formats.record import Record
from tonegap.results.bundle.exposure import (
    exposure_problems,
    half_problems,
)
from tonegap.store.layout import SPECS


class PluginClaims(msgspec.Struct):
    """The keys of a plug-in's file that decide a mark; others may be those of another version."""

    control: bool = False
    needs: tuple[str, ...] = ()
    made_from: str = ""
    on: str = "images"
    exposure: dict[str, SeenBy] = {}


class DataClaims(msgspec.Struct):
    """The key of a data set's file that decides a mark: whether its images are phantoms."""

    drawn: dict[str, Any] | None = None


def data_problems(record: Record, found: DataClaims, *, here: bool) -> Iterator[str]:
    """What a data set's file, of the suite root (`here`) or of the bundle itself, has against a record's marks."""
    if record.data.drawn != (found.drawn is not None):
        claim = "no phantoms" if found.drawn is not None else "phantoms"
        which = "here" if here else "that came along"
        yield f"says that its images are {claim}, and {record.data.data_set}/dataset.toml {which} says otherwise"


def claim_problems(
    run: RunId, record: Record, found: Mapping[str, PluginClaims | None], *, here: bool
) -> Iterator[str]:
    """What matrix and plug-ins have against a record's marks; nothing of a plug-in that is None.

    `found`: the plug-ins of the entry by label, those of the suite root (`here`) or of the bundle itself.
    """
    said = {label: file for label, file in found.items() if file is not None}
    trained = f"{FOLDERS['baseline']}/{record.entry.baseline}"
    if not record.bank and trained in said and said[trained].on == "features":
        by = f"{trained} here" if here else f"the file of {trained} that came along"
        yield f"names no bank of features, and {by} says that it trains on one"
    if run.control != record.control:
        yield "the matrix and the record differ about whether it is a control"
    controls = [label for label, file in said.items() if file.control]
    if controls and not record.control:
        one = controls[0]
        is_one = "is one here" if here else "that came along says that it is one"
        yield f"says that it is no control, and {'' if here else 'the file of '}{one} {is_one}"
    if record.control and not controls and len(said) == len(found):
        by = "here" if here else "by the files that came along"
        yield f"says that it is a control, and neither {' nor '.join(said)} is one {by}"
    seers = [one for one in found if not one.startswith(f"{FOLDERS['method']}/")]
    told = [one for one in seers if one in said and "tone_at_test" in said[one].needs]
    known = told or all(one in said for one in seers)
    if seers and known and record.tone_at_test != bool(told):
        label = (told or seers)[0]
        which = f"{label} here" if here else f"the file of {label} that came along"
        yield f"says otherwise than {which} whether it is told the tone of test images"


def spec_problems(store: Path, run: RunId, record: Record) -> Iterator[str]:
    """What the bundle's own files of plug-ins have against a record. Raises BadSuiteFolder for one that is none."""
    found: dict[str, PluginClaims | None] = {}
    for kind, name in record.plugins.items():
        path = store / SPECS / plugin_place(kind, name)
        there = PLUGIN_ID.fullmatch(name) and path.is_file()
        found[f"{FOLDERS[kind]}/{name}"] = read_toml(path, PluginClaims) if there else None
    own = {
        label: own_exposure(label, file.exposure if file else {}) for label, file in found.items()
    }
    entry = {f"{FOLDERS[kind]}/{name}" for kind, name in record.entry.plugins.items()}
    of_entry = {label: file for label, file in found.items() if label in entry}
    yield from claim_problems(run, record, of_entry, here=False)
    yield from exposure_problems(record, own, read_exposure(store / SPECS), here=False)
    if record.data.tested and record.task not in task_ids(store / SPECS):
        yield "says which joined data sets it was tested on, and no task came along that says so"
    elif record.data.tested:
        split = read_task(store / SPECS, record.task).file.split
        yield from half_problems(record, split, here=False)
    name = record.task.partition("/")[0]
    path = store / SPECS / dataset_place(name)
    if PLUGIN_ID.fullmatch(name) and path.is_file():
        yield from data_problems(record, read_toml(path, DataClaims), here=False)
