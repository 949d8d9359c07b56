"""A suite on a small download, planned anew as often as a test changes something."""

from pathlib import Path

import pytest
from tiny_rooms import GENERATE_PY, Rooms, rooms, tonegap

from tonegap.declared.suite import read_suite
from tonegap.engines import open_engine
from tonegap.plan.plan import Plan, PlannedStage
from tonegap.plan.prepare import Request, prepare
from tonegap.store.store import Store

__all__ = ["rooms", "tonegap"]


class Planner:
    """Plans the suite `tiny` of a suite root on the clinic's images."""

    def __init__(self, rooms: Rooms, folder: Path) -> None:
        self.rooms = rooms
        self.download = folder / "download"
        self.roots: dict[str, Path] | None = None  # None: the download
        self.store = Store(folder / "store")
        rooms.clinic(self.download)
        rooms.method("grey", GENERATE_PY, parameters={"n": {"default": 3, "about": "images"}})
        self.suite()

    def suite(self, method: str = "grey", baseline: str = "plain", **fields: object) -> None:
        """Writes the suite: one entry at one seed, unless fields say otherwise."""
        entry = {"methods": [method], "baselines": [baseline]}
        self.rooms.suite(**{"tasks": ["clinic/two"], "entries": [entry], **fields})

    def plan(self, allow_missing: bool = False, device: str = "cpu") -> Plan:
        request = Request(
            root=self.rooms.root,
            suite=read_suite(self.rooms.root, "tiny"),
            store=self.store,
            engine=open_engine("local", self.rooms.root),
            roots={"clinic": self.download} if self.roots is None else self.roots,
            device=device,
            jobs=1,
            allow_missing=allow_missing,
        )
        return prepare(request)

    def stages(self) -> dict[str, PlannedStage]:
        """The stages of a suite with one cell, by their names."""
        return {stage.stage: stage for stage in self.plan().stages.values()}

    def keys(self) -> dict[str, str]:
        """Keys of the stages of a suite with one cell by their names, and `record`."""
        plan = self.plan()
        found = {stage.stage: stage.key for stage in plan.stages.values()}
        return found | {"record": plan.runs[0].id.key}

    def edit(self, old: str, new: str) -> None:
        """Replaces text that is there once in the download's metadata."""
        path = self.download / "rows.csv"
        text = path.read_text()
        assert text.count(old) == 1
        path.write_text(text.replace(old, new))


@pytest.fixture
def planner(rooms: Rooms, tmp_path: Path) -> Planner:
    return Planner(rooms, tmp_path)
