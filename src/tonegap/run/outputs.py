"""Checks what a stage left under `/out` against the contract, before anything of it is used.

Outputs come from code of strangers: no link is followed, no pickle opened, no path leaves the
folder. The mistake it exists to prevent: an exit code of 0 taken for a result.
"""

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tonegap.data.decode import BadPicture, decode, read_bytes, upright_size
from tonegap.errors import BadOutput, BadPredictions, LeakFound
from tonegap.files import sha256_file
from tonegap.formats import lineage
from tonegap.formats.lineage import LearnedPart
from tonegap.scores.predictions import read_predictions
from tonegap.synthetic.manifest import MAX_IMAGES, SyntheticRow, read_synthetic
from tonegap.untrusted import is_plain_folder, remove_tree, shown, walk

if TYPE_CHECKING:
    from tonegap.plan.plan import PlannedStage

MAX_SIDE_PX = 4096
_MAX_NOTES_BYTES = 1 << 16
_MAX_IMAGE_BYTES = 64 << 20
_IMAGE_FORMATS = ("PNG", "JPEG")
PREDICTIONS = ("predictions.parquet", "predictions.csv")
_DECLARED = {
    "fit": ("model",),
    "generate": ("synthetic.csv", "images"),
    "train": PREDICTIONS,
    "postprocess": PREDICTIONS,
    "features": ("train.npy", "synthetic.npy"),
    "embed": ("bank.npy",),
}
ENGINES_OWN = ("stage.json", "log.txt", lineage.FILE)


def check_outputs(
    stage: "PlannedStage", out: Path, parts: Mapping[str, LearnedPart] | None = None
) -> None:
    """Raises BadOutput with one sentence if what the stage left is not what the contract wants.

    `parts`: the learned parts of the fit stage before it, which a generate stage may name. Features
    are checked where they are read, against the images they belong to.
    """
    _check_kinds(out)
    _check_notes(out / "notes.json")
    if stage.stage == "fit":
        if not (out / "model").is_dir():
            raise BadOutput("model/: absent; a fit stage leaves its files there")
        lineage.check_lineage(out / "model", stage.view.method_train.ids)
    elif stage.stage == "generate":
        _check_synthetic(stage, out, parts or {})
    elif stage.stage in {"train", "postprocess"}:
        _check_predictions(stage, out)


def keep_declared(stage: "PlannedStage", out: Path) -> None:
    """Removes all that the contract does not name: what nobody may read, nobody should keep."""
    declared = {*_DECLARED[stage.stage], "notes.json"}
    for path in out.iterdir():
        if path.name not in declared and path.is_dir():
            remove_tree(path)
        elif path.name not in declared:
            path.unlink()
    if stage.stage == "generate":
        named = {out / "images" / row.file for row in read_synthetic(out)}
        for path, status in walk(out / "images"):
            if path not in named and stat.S_ISREG(status.st_mode):
                path.unlink()


def find_predictions(out: Path) -> Path:
    """The predictions file of a train or postprocess stage. Raises BadOutput if there is none, or two."""
    found = [path for name in PREDICTIONS if (path := out / name).is_file()]
    if len(found) != 1:
        what = "both predictions.parquet and predictions.csv" if found else "no predictions file"
        raise BadOutput(
            f"{what}; a train stage leaves exactly one, and so does a postprocess stage, see docker/CONTRACT.md"
        )
    return found[0]


def lineage_of(
    stage: "PlannedStage", out: Path, parts: Mapping[str, LearnedPart]
) -> lineage.SyntheticLineage:
    """What each image of a checked generate stage descends from.

    Where a `fit` stage named no parts, every image descends from all that it saw.
    """
    rows = read_synthetic(out)
    whole = bool(stage.upstream) and not parts
    return lineage.SyntheticLineage(
        schema=lineage.SCHEMA,
        image_ids=tuple(row.image_id for row in rows),
        sha256=tuple(sha256_file(out / "images" / row.file) for row in rows),
        sources=tuple(row.sources for row in rows),
        models=tuple((lineage.WHOLE_FIT,) if whole else row.models for row in rows),
        parts=lineage.whole_fit(stage.view.method_train.ids) if whole else dict(parts),
    )


def _check_predictions(stage: "PlannedStage", out: Path) -> None:
    """Exactly one row for every validation and test image in every epoch, with valid probabilities."""
    path, view = find_predictions(out), stage.view
    try:
        read_predictions(path, view.classes, (*view.validation.ids, *view.test.ids))
    except BadPredictions as e:
        raise BadOutput(str(e).replace(str(path), path.name)) from None


def _check_notes(path: Path) -> None:
    if not path.exists():
        return
    size = path.stat().st_size
    if size > _MAX_NOTES_BYTES:
        raise BadOutput(f"notes.json: {size} bytes; at most {_MAX_NOTES_BYTES}")
    try:
        notes = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as e:
        raise BadOutput(f"notes.json: not readable JSON: {e}") from None
    if not isinstance(notes, dict):
        raise BadOutput("notes.json: wanted a JSON object")


def _check_kinds(out: Path) -> None:
    if not is_plain_folder(out):
        raise BadOutput("/out was removed or replaced by something else; it must stay a folder")
    for name in ENGINES_OWN:
        if (out / name).exists():
            raise BadOutput(f"{name}: the engine keeps a file of its own under that name")
    for path, status in walk(out):
        where = shown(path.relative_to(out))
        if stat.S_ISLNK(status.st_mode):
            raise BadOutput(f"{where}: a link; links are refused")
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode)):
            raise BadOutput(f"{where}: a special file; only files and folders are taken")
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            raise BadOutput(f"{where}: a hard link; links are refused")


def _check_synthetic(stage: "PlannedStage", out: Path, parts: Mapping[str, LearnedPart]) -> None:
    rows = read_synthetic(out)
    if len(rows) > MAX_IMAGES:
        raise BadOutput(f"synthetic.csv: more than {MAX_IMAGES:,} images")
    real = {image_id for rows in stage.view.partitions.values() for image_id in rows.ids}
    taken: set[str] = set()
    for number, row in enumerate(rows, start=2):
        where = f"synthetic.csv line {number}"
        if row.label not in stage.view.classes:
            raise BadOutput(f"{where}: label {row.label!r} is not a class of {stage.view.task}")
        if row.tone is not None and row.tone not in stage.view.axis_tones:
            tones = ", ".join(stage.view.axis_tones)
            raise BadOutput(f"{where}: tone {row.tone!r} is not one of the task's ({tones})")
        _check_ancestors(stage, row, where, parts)
        if row.image_id in taken:
            raise BadOutput(f"{where}: image_id {row.image_id!r} stands twice")
        if row.image_id in real:
            raise BadOutput(f"{where}: image_id {row.image_id!r} is that of a real image")
        taken.add(row.image_id)
        check_image(out / "images" / row.file, f"images/{row.file}")


def _check_ancestors(
    stage: "PlannedStage", row: SyntheticRow, where: str, parts: Mapping[str, LearnedPart]
) -> None:
    """Every source must be an image that the stage saw, every model a part of its `fit`."""
    view = stage.view
    for source in row.sources:
        if source == lineage.UNKNOWN_SOURCE:
            continue
        held_out = view.held_out.get(source)
        if held_out is not None:
            raise LeakFound(f"{where}: sources names {source!r}, which is a {held_out} image")
        if source not in view.method_ids:
            raise BadOutput(
                f"{where}: sources names {source!r}, which is no training image of this job"
            )
    for model in row.models:
        if model not in parts:
            raise BadOutput(f"{where}: models names {model!r}, which is no part of the fit stage")


def check_image(path: Path, where: str) -> None:
    """Raises BadOutput unless the file is a whole PNG or JPEG, at most 4,096 px a side and 64 MiB."""
    try:
        content = read_bytes(path, _MAX_IMAGE_BYTES)
        width, height = upright_size(content, _IMAGE_FORMATS)
        if max(width, height) > MAX_SIDE_PX:
            raise BadOutput(f"{where}: {width} × {height} px; at most 4,096 a side")
        decode(content, "RGB", MAX_SIDE_PX, _IMAGE_FORMATS)
    except BadPicture as e:
        raise BadOutput(f"{where}: not a readable PNG or JPEG: {e.text}") from None
