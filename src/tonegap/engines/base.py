"""Defines an engine: a place where one stage runs, with limits, and an honest account of how it ended."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import Protocol

from tonegap.declared.plugin import Plugin
from tonegap.declared.suite import Limits
from tonegap.engines.gpus import host_gpus
from tonegap.formats.record import Isolation
from tonegap.formats.stage_job import Cause
from tonegap.numerics import Numerics


@dataclass(frozen=True, slots=True)
class Environment:
    """What a stage's code runs in: a digest for its key, and versions for a reader."""

    digest: str
    versions: dict[str, str]


@dataclass(frozen=True, slots=True)
class RunSpec:
    """One stage to run: its plug-in, folders (`/in`, `/out`, `TMPDIR`), log file, limits, device.

    `gpus` names the devices it was given (none: CPU), see `gpus.py`; `on_device` gets what a stage says of them,
    `on_gpu_memory` how many MiB of one it says it had.
    `cancelled` is set when the run is being stopped.
    `numerics` decides between kernels; see `tonegap.numerics`.
    """

    plugin: Plugin
    stage: str
    in_dir: Path
    out_dir: Path
    tmp_dir: Path
    log: Path
    limits: Limits
    threads: int
    cancelled: Event
    gpus: tuple[str, ...] = ()
    on_progress: Callable[[int, int], None] = field(default=lambda _done, _total: None)
    on_device: Callable[[str], None] = field(default=lambda _text: None)
    on_gpu_memory: Callable[[float], None] = field(default=lambda _mib: None)
    numerics: Numerics = "native"


@dataclass(slots=True)
class ToldOfGpus:
    """What a stage says of its GPUs: the last name, and the most MiB of one that it had; None where it says nothing."""

    device: str = ""
    memory_mib: float | None = None

    def take_device(self, text: str) -> None:
        """Takes a name."""
        self.device = text

    def take_memory(self, mib: float) -> None:
        """Takes what one of its processes had at its peak."""
        self.memory_mib = max(mib, self.memory_mib or 0.0)


@dataclass(frozen=True, slots=True)
class RunResult:
    """How a stage ended; `text` is one sentence for a reader unless `cause` is "ok"."""

    cause: Cause
    text: str
    seconds: float
    cpu_seconds: float | None
    peak_memory_mib: float | None

    @classmethod
    def not_run(cls, text: str, cause: Cause = "engine-error") -> "RunResult":
        """Of a stage that did not get to run."""
        return cls(cause, text, 0.0, None, None)


class Engine(Protocol):
    """The interface of every engine; one set of contract tests runs against each."""

    name: str
    ending_s: float = 1.2  # seconds that a stopped run waits for its stages' end

    def open(self, store: Path, plugins: Collection[Plugin]) -> None:
        """Called once before a run's first stage, with the plug-ins whose stages it lacks.

        Ends what dead processes left running for that store. Raises EngineError where no stage
        could run, or an image is not what it should be.
        """

    def gpus(self) -> tuple[str, ...]:
        """Names of all GPUs that stages here could be given."""
        return host_gpus()

    def environment(self, plugin: Plugin) -> Environment:
        """What the plug-in's stages run in. Raises EngineError where that is not to be had."""

    def isolation(self, limits: Limits) -> Isolation:
        """What is in force while stages run here."""

    def run(self, spec: RunSpec) -> RunResult:
        """Runs one stage to its end or its limit. Never raises for what a plug-in does."""
