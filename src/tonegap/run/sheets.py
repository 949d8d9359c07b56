"""Which quality sheets a plan lacks, and the making of them: features behind the contract, then numbers.

A sheet is evidence beside a record, never part of it: where it cannot be made the entry stands, and
the sheet (or the run's log) says why.
"""

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import msgspec

from tonegap.errors import ToneGapError
from tonegap.files import sha256_file
from tonegap.formats.quality_sheet import ExtractorId, SetId, decode_sheet
from tonegap.plan.plan import Plan, SheetPlan, Stage
from tonegap.run.sheet_maker import SHEET, Found, SheetMaker, SyntheticSet, listed, sheet_folder
from tonegap.run.stages import StageFailure, StageRunner, Workplace
from tonegap.store.store import Store
from tonegap.synthetic.manifest import SyntheticRow, read_synthetic
from tonegap.synthetic.quality.features import read_features
from tonegap.synthetic.quality.measure import measure

_NO_IMAGES = "the set has no images"


def missing_sheets(plan: Plan, store: Store) -> tuple[SheetPlan, ...]:
    """The sheets that are not there, or lack features that can be asked for again."""
    return tuple(sheet for sheet in plan.sheets if not _is_done(sheet, store))


def missing_features(plan: Plan, store: Store) -> tuple[Stage, ...]:
    """The features stages that missing sheets need."""
    needed = [sheet.features for sheet in missing_sheets(plan, store)]
    return tuple(stage for stage in needed if stage and not store.has_stage(stage.key))


def _is_done(planned: SheetPlan, store: Store) -> bool:
    try:
        content = (sheet_folder(store.folder, planned.key) / SHEET).read_bytes()
        sheet = decode_sheet(content)
    except (OSError, msgspec.DecodeError):
        return False
    return sheet.measured is not None or planned.features is None or sheet.set.n == 0


def make_sheets(sheets: Sequence[SheetPlan], place: Workplace) -> None:
    """Makes the sheets whose sets are there; never raises for what a set or an extractor does."""
    runner, maker = StageRunner(place), SheetMaker(place.store)
    ready = [sheet for sheet in sheets if place.store.has_stage(sheet.generate.key)]
    with ThreadPoolExecutor(place.jobs) as pool, place.stopping():
        list(pool.map(partial(_make, place, runner, maker), ready))


def _make(place: Workplace, runner: StageRunner, maker: "SheetMaker", planned: SheetPlan) -> None:
    if place.cancelled.is_set():
        return
    generate = planned.generate
    try:
        place.store.check_stage(generate.key)
        made = stage_set(place.store, generate)
        found = _features(place, runner, planned, made)
        if place.cancelled.is_set():
            return
        maker.make(made, found, planned.key)
    except (ToneGapError, OSError) as e:
        label = generate.identity.plugin.label
        place.progress.note(
            f"{generate.view.task} seed {generate.seed}: no quality sheet of {label}: {e}"
        )


def stage_set(store: Store, generate: Stage) -> SyntheticSet:
    """What a finished generate stage left. Raises BadOutput."""
    folder, view = store.stage_folder(generate.key), generate.view
    rows = read_synthetic(folder)
    return SyntheticSet(
        id=SetId(
            plugin=generate.identity.plugin.label,
            parameters=generate.parameters,
            task=view.task,
            seed=generate.seed,
            stage=generate.key,
            sha256=sha256_file(folder / "synthetic.csv"),
            n=len(rows),
            n_by_tone=n_by_tone(rows, view.axis_tones),
            n_real=len(view.method_train.ids),
            data=view.data,
        ),
        folder=folder,
        rows=rows,
        view=view,
    )


def n_by_tone(rows: Sequence[SyntheticRow], tones: Sequence[str]) -> dict[str, int]:
    """Counts by tone asked for, light to dark, unknown last."""
    asked = [row.tone or "unknown" for row in rows]
    return {tone: asked.count(tone) for tone in (*tones, "unknown") if tone in asked}


def _features(
    place: Workplace, runner: StageRunner, planned: SheetPlan, made: SyntheticSet
) -> Found:
    """Runs the features stage if it has not, and measures by what it left."""
    stage = planned.features
    if stage is None:
        return Found()
    if not made.rows:
        return Found(reason=_NO_IMAGES)
    outcome = runner.run(stage)
    while outcome == "busy":
        outcome = runner.run(stage)
    if isinstance(outcome, StageFailure):
        return Found(
            reason=f"features of {stage.identity.plugin.label}: {outcome.cause}: {outcome.text}"
        )
    place.store.check_stage(stage.key)
    return measured_by(stage, place.store.stage_folder(stage.key), made)


def measured_by(stage: Stage, folder: Path, made: SyntheticSet) -> Found:
    """The numbers of a set from the features in a folder. Raises BadOutput for wrong ones."""
    real = listed(made.view.method_train)
    features = read_features(folder, len(real.ids), len(made.rows))
    extractor = ExtractorId(
        plugin=stage.identity.plugin.label,
        parameters=stage.parameters,
        environment=stage.identity.environment.digest,
        random=_is_random(folder / "notes.json"),
    )
    numbers = measure(features, real, made.listed, made.view.axis_tones)
    return Found(extractor, numbers, None)


def _is_random(notes: Path) -> bool:
    """Whether the extractor's notes say that its weights are random ones."""
    if not notes.exists():
        return False
    return json.loads(notes.read_bytes()).get("random") is True
