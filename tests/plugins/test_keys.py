"""What one plug-in alone uses is in its own folder: a change of it is a change of its stages alone."""

import shutil
from pathlib import Path

from tiny_rooms import PROJECT, Rooms

from tonegap.declared.suite import read_suite
from tonegap.engines import open_engine
from tonegap.plan.prepare import Request, prepare
from tonegap.store.store import Store

BASELINES = ("patchalign", "erm", "circle", "swad")


def test_a_byte_in_patchaligns_transport_changes_the_keys_of_patchalign_and_no_others(
    tmp_path: Path,
) -> None:
    rooms = Rooms(tmp_path / "root")
    shutil.rmtree(rooms.root / "docker")
    for name in ("docker/kit", "docker/templates", "baselines", "methods"):
        shutil.copytree(
            PROJECT / name, rooms.root / name, ignore=shutil.ignore_patterns("__pycache__")
        )
    rooms.clinic(tmp_path / "download")
    entries = [{"methods": ["none", "duplicate"], "baselines": list(BASELINES)}]
    rooms.suite(tasks=["clinic/two"], entries=entries)

    def keys() -> dict[tuple[str, str, str], str]:
        plan = prepare(
            Request(
                root=rooms.root,
                suite=read_suite(rooms.root, "tiny"),
                store=Store(tmp_path / "store"),
                engine=open_engine("local", rooms.root),
                roots={"clinic": tmp_path / "download"},
                device="cpu",
                jobs=1,
                allow_missing=False,
            )
        )
        return {
            (
                cell.entry.method.plugin.id,
                cell.entry.baseline.plugin.id,
                plan.stages[key].stage,
            ): key
            for cell in plan.runs
            for key in cell.stages
        }

    before = keys()
    with (rooms.root / "baselines" / "patchalign" / "transport.py").open("a") as f:
        f.write("#")
    after = keys()
    changed = {name for name, key in after.items() if key != before[name]}
    assert changed == {("none", "patchalign", "train"), ("duplicate", "patchalign", "train")}
