"""Runs a stage of each plug-in a second time and compares what it leaves byte for byte with the first.

The mistake it exists to prevent: a method that draws from the clock, from the order of a set or of threads, whose
result nobody can make again.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from tonegap.engines.base import RunSpec
from tonegap.errors import ToneGapError
from tonegap.files import sha256_file, write_atomic
from tonegap.plan.plan import Plan, PlannedStage
from tonegap.run import checkpoints
from tonegap.run.inputs import write_inputs
from tonegap.run.outputs import ENGINES_OWN, keep_declared
from tonegap.run.stages import Workplace
from tonegap.store.layout import DETERMINISM

SCHEMA = "tonegap/determinism@1"


class Repeated(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the second run of a stage went: `determinism/KEY.json` in the store.

    `differs` says in one sentence what the two runs did not leave alike; empty: every byte is the same.
    """

    schema: str
    key: str
    stage: str
    plugin: str
    differs: str
    finished: str

    @property
    def sentence(self) -> str:
        """As a person reads it."""
        if self.differs:
            return f"not deterministic: {self.plugin} {self.stage}: {self.differs}"
        return f"the same bytes twice: {self.plugin} {self.stage}"


def repeated_stages(plan: Plan, place: Workplace) -> tuple[PlannedStage, ...]:
    """Of each plug-in and kind of stage the finished one that took the least time, in the order of the plan.

    Stages on a GPU are left out: the contract asks for equal bytes on the CPU alone.
    """
    quickest: dict[tuple[str, str], tuple[float, PlannedStage]] = {}
    for key, stage in plan.stages.items():
        if stage.device != "cpu" or not place.store.has_stage(key):
            continue
        name = stage.identity.plugin.label, stage.stage
        seconds = place.store.read_mark(key).seconds
        if name not in quickest or seconds < quickest[name][0]:
            quickest[name] = seconds, stage
    return tuple(stage for _, stage in quickest.values())


def check_determinism(plan: Plan, place: Workplace) -> tuple[Repeated, ...]:
    """Runs these stages again and keeps in the store how each went.

    Raises EngineError where stages cannot run here at all, KeyboardInterrupt where it is stopped: what was found out
    until then is kept.
    """
    stages = repeated_stages(plan, place)
    if stages:
        plugins = {stage.identity.plugin.label: stage.identity.plugin for stage in stages}
        place.engine.open(place.store.folder, list(plugins.values()))
    with place.stopping():
        return tuple(_kept(stages, place))


def _kept(stages: tuple[PlannedStage, ...], place: Workplace) -> Iterator[Repeated]:
    for stage in stages:
        if place.cancelled.is_set():
            return
        differs = _second(stage, place)
        if place.cancelled.is_set():
            return  # stopped half-way: nothing was found out
        found = Repeated(
            schema=SCHEMA,
            key=stage.key,
            stage=stage.stage,
            plugin=stage.identity.plugin.label,
            differs=differs,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        with place.store.writing():
            path = place.store.folder / DETERMINISM / f"{stage.key}.json"
            path.parent.mkdir(exist_ok=True)
            write_atomic(path, msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
        yield found


def _second(stage: PlannedStage, place: Workplace) -> str:
    """What a second run of a finished stage leaves otherwise than the first; empty: nothing."""
    with place.store.work_folder(stage.key[:16]) as folder:
        out = folder / "out"
        with place.store.writing():
            write_inputs(place.store, stage, place.limits.timeout_s, folder / "in")
            for path in (out, folder / "tmp"):
                path.mkdir()
            if stage.identity.plugin.file.resumable:
                (out / checkpoints.FOLDER).mkdir()  # empty: the second run starts from nothing
        result = place.engine.run(
            RunSpec(
                plugin=stage.identity.plugin,
                stage=stage.stage,
                in_dir=folder / "in",
                out_dir=out,
                tmp_dir=folder / "tmp",
                log=folder / "log.txt",
                limits=place.limits,
                threads=stage.threads,
                cancelled=place.cancelled,
                numerics=stage.numerics,
            )
        )
        if result.cause != "ok":
            return f"the second run ended with {result.cause}: {result.text}"
        try:
            keep_declared(stage, out)
        except (ToneGapError, OSError) as e:
            return f"the second run left something else: {e}"
        return first_difference(place.store.stage_folder(stage.key), out)


def first_difference(first: Path, second: Path) -> str:
    """The first file, by name, that two runs of a stage did not leave alike; empty: all are the same."""
    one, other = _files(first), _files(second)
    for name in sorted(one.keys() | other.keys()):
        if name not in other:
            return f"{name} is not there the second time"
        if name not in one:
            return f"{name} is there the second time only"
        if sha256_file(one[name]) != sha256_file(other[name]):
            later = (n for n in one.keys() & other.keys() if n > name)
            n = sum(sha256_file(one[n]) != sha256_file(other[n]) for n in later)
            more = f"; {n} more differ" if n else ""
            return f"{name} has other bytes the second time{more}"
    return ""


def _files(folder: Path) -> dict[str, Path]:
    """The files below a stage's folder that the stage itself left, by path."""
    found = {p.relative_to(folder).as_posix(): p for p in folder.rglob("*") if p.is_file()}
    return {name: path for name, path in found.items() if name not in ENGINES_OWN}
