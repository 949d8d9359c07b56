"""Lays out `/in` for one stage, see docker/CONTRACT.md: nothing but what that stage may see.

The mistake it exists to prevent: a test label, or another partition's image, within a stage's reach.
"""

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec
import numpy as np

from tonegap.data.fixed_pictures import prepared_pictures
from tonegap.files import csv_bytes
from tonegap.formats.job import CONTRACT_VERSION, Job
from tonegap.plan.plan import PlannedStage
from tonegap.run.decoded_arrays import ensure_mask_pack, ensure_pack
from tonegap.run.frames import stored, told_shapes
from tonegap.run.local_files import give, link
from tonegap.run.postprocess_inputs import write_judged
from tonegap.split.view import PartitionImages
from tonegap.store.store import Store
from tonegap.synthetic.manifest import image_contents, read_synthetic
from tonegap.tones import pooled


def write_inputs(store: Store, stage: PlannedStage, time_limit_s: int, folder: Path) -> None:
    """Fills `folder` with the job, manifests and images of a stage."""
    folder.mkdir(parents=True)
    embeds = stage.stage == "embed"
    job = Job(
        contract=CONTRACT_VERSION,
        stage=stage.stage,
        task="" if embeds else stage.view.task,
        classes=() if embeds else stage.view.classes,
        positive=() if embeds else stage.view.positive,
        tones=() if embeds else stage.view.axis_tones,
        seed=stage.seed,
        image=stage.image,
        parameters=stage.parameters,
        device=stage.device,
        threads=stage.threads,
        time_limit_s=time_limit_s,
    )
    (folder / "job.json").write_bytes(msgspec.json.encode(job, order="sorted"))
    _write_given(store, stage, folder)
    if stage.stage == "postprocess":
        write_judged(store, stage, folder)
        return
    if embeds:
        _write_unlabelled(store, stage, folder)
        return
    trains = stage.stage == "train"
    rows = stage.view.train if trains else stage.view.method_train
    _write_rows(store, stage, "train", rows, folder)
    if trains:
        _write_rows(store, stage, "validation", stage.view.validation, folder)
        _write_test(store, stage, folder)
    if stage.stage in {"train", "features"}:
        for key in stage.made:
            store.check_stage(key)
            write_synthetic(store, stage, store.stage_folder(key), key, folder)
        _link_banks(store, stage, folder)
    elif "masks" in stage.identity.plugin.file.needs:
        pack = ensure_mask_pack(
            store, rows.masks, rows.mask_sha256, stored(stage.image), rows.paths
        )
        link(pack, folder / "train_masks.npy")
    if stage.stage == "generate":
        for key in stage.upstream:
            store.check_stage(key)
            shutil.copytree(store.stage_folder(key) / "model", folder / "model", copy_function=link)


def _write_given(store: Store, stage: PlannedStage, folder: Path) -> None:
    """The files that its parameters name; of an extractor the pictures that golden vectors are made of."""
    for file in stage.files:
        give(store, file, folder / "files" / file.path.name)
    if stage.stage in {"embed", "features"}:
        np.save(folder / "golden.npy", prepared_pictures(stored(stage.image)))


def _write_rows(
    store: Store, stage: PlannedStage, name: str, rows: PartitionImages, folder: Path
) -> None:
    cells = zip(rows.ids, rows.labels, (tone or "" for tone in rows.tones), strict=True)
    told = told_shapes(stage.image, ("image_id", "label", "tone"), cells, rows.paths)
    _write_manifest(stage, folder / f"{name}.csv", *told)
    if not stage.banks:
        pack = ensure_pack(store, rows.paths, rows.sha256, stored(stage.image))
        link(pack, folder / f"{name}.npy")


def _write_manifest(
    stage: PlannedStage, path: Path, header: tuple[str, ...], rows: Iterable[tuple[str, ...]]
) -> None:
    """Writes a manifest; of a stage on features each row says which row of the bank is the image's."""
    if stage.banks:
        place = {image_id: str(i) for i, image_id in enumerate(stage.view.unlabelled.ids)}
        header, rows = (*header, "row"), [(*cells, place[cells[0]]) for cells in rows]
    write_csv(path, header, rows)


def _write_unlabelled(store: Store, stage: PlannedStage, folder: Path) -> None:
    """The images of an embed stage: every one of the task's by id, or a synthetic set as it was made."""
    if not stage.upstream:
        rows = stage.view.unlabelled
        ids, pack = rows.ids, ensure_pack(store, rows.paths, rows.sha256, stored(stage.image))
    else:
        (key,) = stage.upstream
        store.check_stage(key)
        made = store.stage_folder(key)
        synthetic = read_synthetic(made)
        ids = tuple(row.image_id for row in synthetic)
        paths = [made / "images" / row.file for row in synthetic]
        pack = ensure_pack(store, paths, image_contents(made, key, synthetic), stored(stage.image))
    write_csv(folder / "images.csv", ("image_id",), ((image_id,) for image_id in ids))
    link(pack, folder / "images.npy")


def _link_banks(store: Store, stage: PlannedStage, folder: Path) -> None:
    """The features of the real images, and of the synthetic ones in the order of `synthetic.csv`."""
    for key, name in zip(stage.banks, ("bank", "synthetic"), strict=False):
        store.check_stage(key)
        if name == "bank" or (folder / "synthetic.csv").exists():
            link(store.stage_folder(key) / "bank.npy", folder / f"{name}.npy")


def _write_test(store: Store, stage: PlannedStage, folder: Path) -> None:
    rows = stage.view.test
    order = sorted(range(len(rows.ids)), key=lambda i: rows.ids[i])
    if "tone_at_test" in stage.identity.plugin.file.needs:
        header: tuple[str, ...] = ("image_id", "tone")
        cells: list[tuple[str, ...]] = [(rows.ids[i], rows.tones[i] or "") for i in order]
    else:
        header, cells = ("image_id",), [(rows.ids[i],) for i in order]
    paths = [rows.paths[i] for i in order]
    _write_manifest(stage, folder / "test.csv", *told_shapes(stage.image, header, cells, paths))
    if stage.banks:
        return
    pack = ensure_pack(store, paths, [rows.sha256[i] for i in order], stored(stage.image))
    link(pack, folder / "test.npy")


def write_synthetic(store: Store, stage: PlannedStage, made: Path, key: str, folder: Path) -> None:
    """Writes manifest and images of the synthetic set in the folder `made`, whose content `key` names."""
    rows = read_synthetic(made)
    if not rows:
        return
    named = zip(rows, [pooled(row.tone, stage.view.axis_tones) or "" for row in rows], strict=True)
    cells = ((row.image_id, row.label, tone, " ".join(row.sources)) for row, tone in named)
    paths = [made / "images" / row.file for row in rows]
    header = ("image_id", "label", "tone", "sources")
    write_csv(folder / "synthetic.csv", *told_shapes(stage.image, header, cells, paths))
    if stage.banks:
        return
    contents = image_contents(made, key, rows)
    link(ensure_pack(store, paths, contents, stored(stage.image)), folder / "synthetic.npy")


def write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Writes UTF-8 CSV with LF line ends, quoted only where CSV needs it."""
    path.write_bytes(csv_bytes(header, rows))
