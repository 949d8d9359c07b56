"""Measures a synthetic set made elsewhere, a folder of images with or without a CSV file, for its quality sheet.

It is only looked at: to be trained on it enters a suite, where its ancestors are audited.
"""

import contextlib
import shutil
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tonegap.declared.suite import Limits
from tonegap.engines.base import Engine, RunSpec
from tonegap.errors import BadData, BadOutput, EngineError
from tonegap.files import digest_of, folder_digest
from tonegap.formats.lineage import FILE as LINEAGE
from tonegap.formats.lineage import UNKNOWN_SOURCE
from tonegap.numerics import Numerics
from tonegap.plan.entries import FilledPlugin
from tonegap.plan.plan import PlannedStage
from tonegap.run.inputs import write_csv, write_inputs, write_synthetic
from tonegap.run.outputs import check_image, check_outputs
from tonegap.run.sheet_maker import MeasuredFeatures, SyntheticSet, measured_by, synthetic_set
from tonegap.split.view import TaskView
from tonegap.store.layout import SHEETS
from tonegap.store.store import Store
from tonegap.synthetic.external_set import images_in, on_its_canvas, read_set
from tonegap.synthetic.manifest import SYNTHETIC_COLUMNS, read_synthetic
from tonegap.synthetic.source_names import KnownImages, label_meant
from tonegap.tones import pooled

Renames = Mapping[str, str]  # of labels, to the class that each is


@dataclass(frozen=True, slots=True)
class FeaturesPlace:
    """Where and how the features of an external set are made."""

    store: Store
    engine: Engine
    limits: Limits
    threads: int
    numerics: Numerics


def laid_out(
    folder: Path, manifest: Path | None, out: Path, view: TaskView, rename: Renames
) -> Path:
    """The set in a folder as a generate stage leaves one: the folder itself where one left it, else a copy in `out`.

    Any other is read as `tonegap audit` reads it, with the classes of the task, or what it renames to one, by their
    letters and digits; an image on the skin of a training image has its tone. Raises BadRequest where it is no set.
    """
    with contextlib.suppress(BadOutput):
        files = {folder / "images" / row.file for row in read_synthetic(folder)}
        if manifest is None and (folder / LINEAGE).is_file() and files == set(images_in(folder)):
            return folder
    (out / "images").mkdir(parents=True)
    rows, images = [], KnownImages(view.train.ids, {})
    tones = dict(zip(view.train.ids, view.train.tones, strict=True))
    for number, described in enumerate(read_set(folder, manifest).rows):
        row = on_its_canvas(described, images, tones)
        name = f"{number:06}{row.path.suffix.lower()}"
        shutil.copyfile(row.path, out / "images" / name)
        label, tone, *more = (row.cells.get(key, "") for key in ("label", "tone", "prompt", "seed"))
        label = label_meant(label, view.classes) or rename.get(
            label_meant(label, rename) or "", label
        )
        sources = (UNKNOWN_SOURCE,) if row.sources is None else row.sources
        rows.append([row.image_id, name, label, tone, *more, " ".join(sources)])
    write_csv(out / "synthetic.csv", SYNTHETIC_COLUMNS, rows)
    return out


def external_set(
    folder: Path, view: TaskView, seed: int, manifest: Path | None, aside: Path, rename: Renames
) -> SyntheticSet:
    """The set in a folder, for a task at a seed that renames labels; laid out in `aside` where it has another form.

    Raises BadRequest where it is no set, BadData for a row or an image that breaks the contract of a generate stage.
    """
    try:
        name, key = folder.resolve().name, folder_digest(folder)
        place = laid_out(folder, manifest, aside, view, rename)
        made = synthetic_set(place, view, plugin=name, parameters={}, seed=seed, key=key)
        for row in made.rows:
            check_image(place / "images" / row.file, f"images/{row.file}")
    except BadOutput as e:
        raise BadData(f"{folder}: {e}; see `generate` in docker/CONTRACT.md") from None
    for row in made.rows:
        if row.label not in view.classes:
            raise BadData(
                f"{folder}: {row.image_id}: {row.label!r} is no class of {view.task}; wanted one in the "
                "column `label` of a CSV file, its name or the JSON file beside it"
            )
        if row.tone is not None and pooled(row.tone, view.axis_tones) not in view.axis_tones:
            wanted = ", ".join(view.axis_tones)
            raise BadData(
                f"{folder}: {row.image_id} has the tone {row.tone}; wanted one of {view.task}: {wanted}, "
                "or a blank"
            )
    return made


def external_features(
    made: SyntheticSet, extractor: FilledPlugin, place: FeaturesPlace
) -> MeasuredFeatures:
    """What an extractor says of an external set. Raises EngineError or BadOutput where it fails."""
    if not made.rows:
        return MeasuredFeatures(reason="the set has no images")
    stage = _stage(made, extractor, place)
    with place.store.work_folder(SHEETS) as folder:
        given, out = folder / "in", folder / "out"
        write_inputs(place.store, stage, place.limits.timeout_s, given)
        write_synthetic(place.store, stage, made.folder, made.id.stage, given)
        for path in (out, folder / "tmp"):
            path.mkdir()
        plugin = extractor.identity.plugin
        place.engine.open(place.store.folder, [plugin])
        result = place.engine.run(
            RunSpec(
                plugin=plugin,
                stage=stage.stage,
                in_dir=given,
                out_dir=out,
                tmp_dir=folder / "tmp",
                log=folder / "log.txt",
                limits=place.limits,
                threads=place.threads,
                cancelled=threading.Event(),
                numerics=place.numerics,
            )
        )
        if result.cause != "ok":
            raise EngineError(f"{plugin.label}: {result.cause}: {result.text}")
        check_outputs(stage, out)
        return measured_by(stage, out, made)


def _stage(made: SyntheticSet, extractor: FilledPlugin, place: FeaturesPlace) -> PlannedStage:
    plugin = extractor.identity.plugin
    return PlannedStage(
        key=digest_of([made.id.stage, plugin.label]),
        stage=plugin.file.stages[0],
        identity=extractor.identity,
        parameters=extractor.parameters,
        seed=made.id.seed,
        device="cpu",
        threads=place.threads,
        numerics=place.numerics,
        image=extractor.image,
        view=made.view,
        files=extractor.files,
        upstream=(),
        ingredients={},
    )
