"""Entries of the project's own plug-ins on 24 images, small enough for seconds whatever they are."""

import csv
import io
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from stages_here import StagesHere
from tiny_rooms import GENERATE_PY, PROJECT, Rooms, write_clinic

from tonegap.data.phantom.draw import Sitter, draw
from tonegap.declared.local_files import spelled
from tonegap.declared.plugin import FOLDERS, Plugin, read_plugin
from tonegap.declared.suite import Limits, read_suite
from tonegap.engines.base import Engine
from tonegap.files import folder_digest
from tonegap.plan.plan import Plan, PlannedStage
from tonegap.plan.prepare import Request, prepare
from tonegap.run.progress import PlainProgress
from tonegap.run.runner import run_plan
from tonegap.run.stages import Workplace
from tonegap.store.store import Store

# For whatever plug-in has a parameter of that name.
QUICK = {
    "augmentation": "none",
    "backbone": "cnn4",
    "batch": 8,
    "centre_crop": 1.0,
    "epochs": 1,
    "healthy_images": 2,
    "healthy_steps": 2,
    "image_size_px": 32,
    "inversion_accumulation": 1,
    "inversion_batch": 2,
    "inversion_steps": 2,
    "lora_batch": 2,
    "lora_resolution_px": 0,
    "lora_steps": 2,
    "min_images": 2,
    "network": "cnn4",
    "output_px": 32,
    "padding_px": 1,
    "per_source": 1,
    "prior_images": 2,
    "repeats": 1,
    "sampling_steps": 4,
    "targets": ["VI"],  # the only dark tone here
}
# For one plug-in: healthy skin is to have a class here, and not all pairs of images are to be made.
OWN: Mapping[str, Mapping[str, Any]] = {
    "cgddi-healthy": {"labels": ["folliculitis"], "ratio": 0.5},
    "cgddi-lesion-mapping": {"ratio": 0.5},
    "cgddi-semantic": {"ratio": 0.5},
    "dreambooth": {"augmentation": False},
    # One step of sampling is the last, which has no noise to learn from.
    "magic": {
        "pairs": 6,
        "preference_accumulation": 1,
        "preference_steps": 2,
        "ratio": 0.5,
        "strength": 0.9,
    },
}


def small_project(folder: Path, pipeline: Path) -> "SmallProject":
    """A suite root with the project's kit and plug-ins, a fake of each kind, and a small download.

    A dark tone is rare in it, so that methods which fill up rare tones have something to do.
    `pipeline` is a diffusion pipeline's folder, for whom it concerns.
    """
    rooms = Rooms(folder / "root")
    shutil.rmtree(rooms.root / "docker")
    for name in ("docker/kit", "docker/templates", *FOLDERS.values()):
        shutil.copytree(
            PROJECT / name, rooms.root / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    rooms.baseline("plain")
    rooms.method("grey", GENERATE_PY, parameters={"n": {"default": 3, "about": "images"}})
    download = folder / "download"
    rooms.clinic(download)
    write_clinic(download, n=24)
    _make_light(download / "rows.csv")
    _draw_with_masks(download)
    path = rooms.root / "benchmarks" / "clinic" / "dataset.toml"
    told = 'masks = ["masks/{image_id}.png"]\n\n[columns]'
    path.write_text(path.read_text().replace("[columns]", told, 1))
    return SmallProject(rooms, download, pipeline)


def _make_light(path: Path) -> None:
    rows = path.read_text().splitlines()
    lighter = [row.replace(",VI,pool", ",I,pool") if i % 3 else row for i, row in enumerate(rows)]
    path.write_text("\n".join(lighter) + "\n")


def _draw_with_masks(download: Path) -> None:
    (download / "masks").mkdir()
    with (download / "rows.csv").open(newline="") as f:
        for row in csv.DictReader(f):
            image, mask = draw(Sitter(row["image_id"], row["label"], row["tone"]), 32)
            Image.fromarray(image).save(download / f"{row['image_id']}.png")
            Image.fromarray(mask).save(download / "masks" / f"{row['image_id']}.png")


class SmallProject:
    """Runs one entry at one seed."""

    def __init__(self, rooms: Rooms, download: Path, pipeline: Path) -> None:
        self.rooms, self.root, self.download, self.pipeline = rooms, rooms.root, download, pipeline

    def finished(
        self,
        store: Store,
        method: str = "none",
        baseline: str = "plain",
        extractor: str | None = None,
        engine: Engine | None = None,
        postprocessor: str | None = None,
        backbones: Sequence[str] = (),
        given: Mapping[str, Any] | None = None,
    ) -> Plan:
        """The plan of an entry that ran to a record; stages that load torch ran in this process."""
        asked = {"method": method, "baseline": baseline}
        asked |= {"postprocessor": postprocessor} if postprocessor else {}
        plugins = [read_plugin(self.root, kind, name) for kind, name in asked.items()]
        measured: dict[str, object] = {}
        networks = {"backbones": list(backbones)} if backbones else {}
        if extractor:
            own = self.quick(read_plugin(self.root, "extractor", extractor))
            measured = {"quality": {"extractor": extractor, "parameters": own}}
        self.rooms.suite(
            tasks=["clinic/two"],
            entries=[{f"{kind}s": [name] for kind, name in asked.items()} | networks],
            parameters={
                p.label: own
                for p in plugins
                if (own := self.quick(p) | (dict(given or {}) if p.kind == "baseline" else {}))
            },
            **measured,
        )
        engine = engine or StagesHere(self.root / "docker" / "kit")
        plan = prepare(self._request(store, engine))
        limits = Limits(timeout_s=120, memory_mib=4096, output_mib=100)
        tally = run_plan(
            plan, Workplace(store, engine, limits, 1, (), PlainProgress(io.StringIO()))
        )
        (cell,) = plan.runs
        assert cell.id.not_applicable is None, cell.id.not_applicable
        assert not tally.failures, [failure.text for failure in tally.failures]
        assert tally.n_finished == 1
        assert store.record_path(cell.id.key).exists()
        return plan

    def _request(self, store: Store, engine: Engine) -> Request:
        return Request(
            root=self.root,
            suite=read_suite(self.root, "tiny"),
            store=store,
            engine=engine,
            roots={"clinic": self.download},
            device="cpu",
            jobs=1,
            allow_missing=False,
        )

    def quick(self, plugin: Plugin) -> dict[str, Any]:
        """Parameters that make a plug-in small, and what it is given from outside."""
        specs = plugin.file.parameters
        own: dict[str, Any] = {
            name: value
            for name, value in QUICK.items()
            if name in specs and (not specs[name].choices or value in specs[name].choices)
        }
        own |= {"set": self._small_set()} if "set" in specs else {}
        if "pipeline" in specs:
            own["pipeline"] = spelled(self.pipeline, folder_digest(self.pipeline))
        if plugin.file.on == "features":
            del own["backbone"]  # an extractor, and no network of its own
        return own | dict(OWN.get(plugin.id, {}))

    def _small_set(self) -> str:
        """A set of synthetic images: here one image, of no real one."""
        folder = self.root / "made elsewhere"
        folder.mkdir(exist_ok=True)
        pixels = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "a.png")
        (folder / "synthetic.csv").write_text("file,label,tone,sources\na.png,folliculitis,VI,\n")
        return spelled(folder, folder_digest(folder))


def stages_of(plan: Plan) -> list[PlannedStage]:
    """The stages of the plan's only cell, in order."""
    (cell,) = plan.runs
    return [plan.stages[key] for key in cell.stages]


def left_by(store: Store, stage: PlannedStage) -> str:
    """Digest of what a stage left, without the marks of this run."""
    copy = store.folder / "copy"
    marks = shutil.ignore_patterns("stage.json", "log.txt")
    shutil.copytree(store.stage_folder(stage.key), copy, ignore=marks)
    digest = folder_digest(copy)
    shutil.rmtree(copy)
    return digest


def assert_same_bytes_twice(project: SmallProject, folder: Path, **entry: Any) -> None:
    """Runs an entry in two stores and compares what each of its stages left."""
    stores = [Store(folder / name) for name in ("one", "two")]
    stages = [stages_of(project.finished(store, **entry)) for store in stores]
    for one, two in zip(*stages, strict=True):
        assert left_by(stores[0], one) == left_by(stores[1], two), one.identity.plugin.label
