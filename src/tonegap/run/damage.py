"""Finds finished work of a plan that was damaged or edited on the disk, discards it, and so has it made again.

The mistake it exists to prevent: a run that builds on, or reports, what was damaged or edited on the disk.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

import msgspec

from tonegap.formats.record import SCHEMA, decode_record
from tonegap.formats.truth import encode_truth
from tonegap.plan.plan import Plan, PlannedRun, PlannedStage
from tonegap.split.view import truth_of
from tonegap.store import seals
from tonegap.store.layout import record_unit, sheet_unit, stage_unit
from tonegap.store.store import Store

_MANY = frozenset({"images"})  # looked at where somebody is about to use them


@dataclass(frozen=True, slots=True)
class Damage:
    """What is damaged, one clause each: records by the key of their run, stages and sheets by their own."""

    records: Mapping[str, str]
    stages: Mapping[str, str]
    sheets: Mapping[str, str]


def find_damage(plan: Plan, store: Store) -> Damage:
    """What of a plan's records, stages and sheets is damaged.

    The images of a set are looked at where a stage that is missing needs them. A record whose predictions are damaged
    counts as damaged: they may come out otherwise.
    """
    done = store.finished_records()
    stages = {key: said for key in plan.stages if (said := _stage_damage(store, key))}
    sealed = seals.sealed_records(store.folder)
    records = {}
    for run in plan.runs:
        key = run.id.key
        if key in done and (
            said := _record_damage(store, run, sealed) or stages.get(run.stages[-1])
        ):
            records[key] = said
    waiting = [c for c in plan.runs if c.id.key not in done or c.id.key in records]
    for key in _needed(plan, store, waiting, stages):
        if key not in stages and (said := store.damage(stage_unit(key))):
            stages[key] = said
    return Damage(records, stages, _damaged_sheets(plan, store, stages))


def _stage_damage(store: Store, key: str) -> str | None:
    said = store.damage(stage_unit(key), _MANY)
    return said if said and store.has_stage(key) else None


def _record_damage(store: Store, run: PlannedRun, sealed: Collection[str]) -> str | None:
    """What is wrong with a record; those that an earlier version left without seals must at least be the run's."""
    unit = record_unit(run.id.key)
    if sealed:
        return store.damage(unit)
    try:
        record = decode_record(store.record_path(run.id.key).read_bytes())
    except (OSError, msgspec.DecodeError, UnicodeDecodeError):
        return f"{unit} is no record"
    found = (record.schema, record.entry, record.task, record.seed)
    wanted = (SCHEMA, run.id.entry, run.id.task, run.id.seed)
    return None if found == wanted else f"{unit} is another run's record"


def _needed(
    plan: Plan, store: Store, waiting: Iterable[PlannedRun], damaged: Mapping[str, str]
) -> list[str]:
    """The finished stages that missing ones read."""
    keys = {key for run in waiting if not run.id.not_applicable for key in run.stages}
    missing = [plan.stages[key] for key in keys if key in damaged or not store.has_stage(key)]
    return sorted({up for stage in missing for up in stage.upstream if store.has_stage(up)})


def _damaged_sheets(plan: Plan, store: Store, stages: Mapping[str, str]) -> dict[str, str]:
    found = {}
    for sheet in plan.sheets:
        behind = (sheet.generate, sheet.features)
        of_stage = next((stages[s.key] for s in behind if s and s.key in stages), None)
        there = (store.folder / sheet_unit(sheet.key)).exists()
        if said := of_stage or (store.damage(sheet_unit(sheet.key)) if there else None):
            found[sheet.key] = said
    return found


def mend(plan: Plan, store: Store) -> tuple[PlannedStage, ...]:
    """Takes away what is damaged and returns the stages that were, those of finished runs among them.

    Truths are written again here, and what an earlier version left without a seal gets one. `store.mended` has what
    was done.
    """
    found = find_damage(plan, store)
    for key, said in found.stages.items():
        with store.try_lock(f"stage-{key}") as mine:
            if mine:  # else another run is making it
                store.discard(stage_unit(key), said)
    for key, said in found.records.items():
        store.discard(record_unit(key), said)
    for key, said in found.sheets.items():
        store.discard(sheet_unit(key), said)
    _keep_truths(plan, store)
    _seal_unsealed(plan, store)
    store.mended[:] = dict.fromkeys(store.mended)
    features = {sheet.features.key for sheet in plan.sheets if sheet.features}
    return tuple(plan.stages[key] for key in found.stages if key not in features)


def _keep_truths(plan: Plan, store: Store) -> None:
    """Writes the truth of finished runs again where it is gone or damaged; it is made from the data set alone."""
    done = store.finished_records()
    for view in {id(run.view): run.view for run in plan.runs if run.id.key in done}.values():
        store.keep_truth(encode_truth(truth_of(view)))


def _seal_unsealed(plan: Plan, store: Store) -> None:
    done, sealed = store.finished_records(), seals.sealed_records(store.folder)
    records = [record_unit(run.id.key) for run in plan.runs if run.id.key in done]
    units = [unit for unit in records if unit not in sealed]
    units += [
        stage_unit(key)
        for key in plan.stages
        if not seals.is_sealed(store.folder, stage_unit(key)) and store.has_stage(key)
    ]
    with store.writing():
        for unit in units:
            seals.write_seal(store.folder, unit)
