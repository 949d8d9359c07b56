"""Says which quality sheets a plan lacks and makes them: features behind the contract, then numbers.

A sheet is evidence beside a record, never part of it: where it cannot be made the entry stands, and
the sheet (or the run's log) says why.
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import msgspec

from tonegap.errors import ToneGapError
from tonegap.formats.quality_sheet import decode_sheet
from tonegap.plan.plan import Plan, PlannedStage, SheetPlan
from tonegap.run.sheet_maker import (
    SHEET,
    MeasuredFeatures,
    SheetMaker,
    SyntheticSet,
    measured_by,
    sheet_folder,
    stage_set,
)
from tonegap.run.stages import Outcome, StageFailure, StageRunner, Workplace
from tonegap.store.store import Store

RunStage = Callable[[PlannedStage], Outcome]
_NO_IMAGES = "the set has no images"


def missing_sheets(plan: Plan, store: Store) -> tuple[SheetPlan, ...]:
    """The sheets that are not there, or lack features that can be asked for again."""
    return tuple(sheet for sheet in plan.sheets if not _is_done(sheet, store))


def missing_features(plan: Plan, store: Store) -> tuple[PlannedStage, ...]:
    """The features stages that missing sheets need."""
    needed = [sheet.features for sheet in missing_sheets(plan, store)]
    return tuple(stage for stage in needed if stage and not store.has_stage(stage.key))


def _is_done(planned: SheetPlan, store: Store) -> bool:
    try:
        sheet = decode_sheet((sheet_folder(store.folder, planned.key) / SHEET).read_bytes())
    except (OSError, msgspec.DecodeError):
        return False
    return sheet.measured is not None or planned.features is None or sheet.set.n == 0


def make_sheets(
    sheets: Sequence[SheetPlan], place: Workplace, failed: Mapping[str, StageFailure]
) -> None:
    """Makes the sheets whose sets are there; never raises for what a set or an extractor does.

    `failed` are stages by key that are not run again.
    """
    runner, maker = StageRunner(place), SheetMaker(place.store)

    def features(stage: PlannedStage) -> Outcome:
        if stage.key in failed:
            return failed[stage.key]
        if place.slurm is not None and place.store.has_stage(stage.key):
            return "found"
        while (outcome := runner.run(stage)) == "busy":
            pass
        return outcome

    ready = [sheet for sheet in sheets if place.store.has_stage(sheet.generate.key)]
    with ThreadPoolExecutor(place.jobs) as pool, place.stopping():
        list(pool.map(partial(_make, place, features, maker), ready))


def _make(place: Workplace, run: RunStage, maker: "SheetMaker", planned: SheetPlan) -> None:
    if place.cancelled.is_set():
        return
    generate = planned.generate
    try:
        place.store.check_stage(generate.key)
        made = stage_set(place.store, generate)
        found = _features(place, run, planned, made)
        if place.cancelled.is_set():
            return
        maker.make(made, found, planned.key)
    except (ToneGapError, OSError) as e:
        label = generate.identity.plugin.label
        place.progress.note(
            f"{generate.view.task} seed {generate.seed}: no quality sheet of {label}: {e}"
        )


def _features(
    place: Workplace, run: RunStage, planned: SheetPlan, made: SyntheticSet
) -> MeasuredFeatures:
    """Runs the features stage if it has not, and measures by what it left."""
    stage = planned.features
    if stage is None:
        return MeasuredFeatures()
    if not made.rows:
        return MeasuredFeatures(reason=_NO_IMAGES)
    outcome = run(stage)
    if isinstance(outcome, StageFailure):
        return MeasuredFeatures(
            reason=f"features of {stage.identity.plugin.label}: {outcome.cause}: {outcome.text}"
        )
    place.store.check_stage(stage.key)
    return measured_by(stage, place.store.stage_folder(stage.key), made)
