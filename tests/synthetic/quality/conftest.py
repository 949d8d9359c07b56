"""A suite with a synthetic set and an extractor of its own, run as `tonegap run` does."""

import io
import threading
from pathlib import Path

import pytest
from tiny_rooms import GENERATE_PY, Rooms, rooms, toml, tonegap

from tonegap.declared.suite import Limits, read_suite
from tonegap.engines import open_engine
from tonegap.formats.quality_sheet import Sheet, decode_sheet
from tonegap.plan.plan import Plan
from tonegap.plan.prepare import Request, prepare
from tonegap.run.progress import PlainProgress
from tonegap.run.runner import RunTally, run_plan
from tonegap.run.sheet_maker import SHEET, sheet_folder
from tonegap.run.stages import Workplace
from tonegap.store.store import Store

__all__ = ["rooms", "tonegap"]

# Mean red, green and blue, in plain Python but for the file format.
EXTRACT_PY = """\
import json, sys
from pathlib import Path
import numpy as np

given, out = Path(sys.argv[3]), Path(sys.argv[5])
assert sys.argv[1] == "features"
names = {path.name for path in given.iterdir()}
real, made = {"train.csv", "train.npy"}, {"synthetic.csv", "synthetic.npy"}
assert names == {"job.json", "golden.npy", *real, *made}, names
for name in ("train", "synthetic"):
    images = np.load(given / f"{name}.npy")
    np.save(out / f"{name}.npy", images.mean(axis=(1, 2)).astype(np.float32))
(out / "notes.json").write_text(json.dumps({"random": True}))
"""


class QualityRun:
    """Runs the suite `tiny`: method `grey`, baseline `plain`, extractor `means`, one seed."""

    code = EXTRACT_PY

    def __init__(self, rooms: Rooms, folder: Path) -> None:
        self.rooms, self.store = rooms, Store(folder / "store")
        self.download = folder / "download"
        rooms.clinic(self.download)
        rooms.method("grey", GENERATE_PY, parameters={"n": {"default": 3, "about": "images"}})
        self.extractor()
        self.suite()
        self.said = ""

    def extractor(self, code: str = EXTRACT_PY) -> None:
        self.rooms.write("extractors/means/extract.py", code)
        self.rooms.write("extractors/means/Dockerfile", "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\n")
        fields = {"command": ["python", "extract.py"], "stages": ["features"]}
        size = {"image_size_px": {"default": 16, "about": "side"}}
        texts = {"title": "Means", "about": "for tests"}
        self.rooms.write(
            "extractors/means/extractor.toml", toml({**texts, **fields, "parameters": size})
        )

    def suite(self, **fields: object) -> None:
        entry = {"methods": ["grey"], "baselines": ["plain"]}
        quality = {"quality": {"extractor": "means"}}
        self.rooms.suite(**{"tasks": ["clinic/two"], "entries": [entry], **quality, **fields})

    def plan(self) -> Plan:
        return prepare(
            Request(
                root=self.rooms.root,
                suite=read_suite(self.rooms.root, "tiny"),
                store=self.store,
                engine=open_engine("local", self.rooms.root),
                roots={"clinic": self.download},
                device="cpu",
                jobs=2,
                allow_missing=False,
            )
        )

    def __call__(self) -> tuple[Plan, RunTally]:
        said = io.StringIO()
        place = Workplace(
            store=self.store,
            engine=open_engine("local", self.rooms.root),
            limits=Limits(timeout_s=60, memory_mib=2048, output_mib=20),
            jobs=2,
            gpus=(),
            progress=PlainProgress(said),
            cancelled=threading.Event(),
        )
        plan = self.plan()
        self.store.write_matrix(plan.matrix)
        tally = run_plan(plan, place)
        self.said = said.getvalue()
        return plan, tally

    def folder(self, plan: Plan) -> Path:
        """The folder of the only sheet."""
        (sheet,) = plan.sheets
        return sheet_folder(self.store.folder, sheet.key)

    def sheet(self, plan: Plan) -> Sheet:
        return decode_sheet((self.folder(plan) / SHEET).read_bytes())


@pytest.fixture
def quality(rooms: Rooms, tmp_path: Path) -> QualityRun:
    return QualityRun(rooms, tmp_path)
