"""One stage on the local engine, its code given as text, behind every wall that this machine has."""

import os
import threading
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tonegap.declared.plugin import Plugin, PluginFile
from tonegap.declared.suite import Limits
from tonegap.engines import local
from tonegap.engines.base import RunResult, RunSpec
from tonegap.engines.local import LocalEngine
from tonegap.engines.sandbox import sandbox_kind

KINDS = ("bubblewrap", "unshare", "none")


@dataclass
class Place:
    """The folders of a stage; call it to run a stage whose code is given."""

    folder: Path
    command: tuple[str, ...] = ("sh", "stage.sh")
    cancelled: threading.Event = field(default_factory=threading.Event)
    progress: list[tuple[int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name in ("plugin", "in", "out", "tmp", "kit"):
            (self.folder / name).mkdir(parents=True)

    def __call__(self, code: str, **limits: int) -> RunResult:
        (self.folder / "plugin" / self.command[-1]).write_text(code)
        about = PluginFile("t", "a", command=self.command, stages=("train",))
        merged = {"timeout_s": 20, "memory_mib": 512, "output_mib": 10} | limits
        spec = RunSpec(
            plugin=Plugin("plain", "baseline", self.folder / "plugin", about),
            stage="train",
            in_dir=self.folder / "in",
            out_dir=self.folder / "out",
            tmp_dir=self.folder / "tmp",
            log=self.folder / "log.txt",
            limits=Limits(**merged),
            threads=2,
            cancelled=self.cancelled,
            on_progress=lambda done, total: self.progress.append((done, total)),
        )
        return LocalEngine(self.folder / "kit").run(spec)

    @property
    def log(self) -> str:
        return (self.folder / "log.txt").read_bytes().decode("utf-8", "replace")

    @property
    def out(self) -> Path:
        return self.folder / "out"


def require(kind: str) -> None:
    """Skips the test where the machine lacks a wall; in CI that is a failure."""
    found = sandbox_kind()
    if kind == "none" or found == "bubblewrap" or kind == found:
        return
    message = f"needs {kind}; this machine has {found}"
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


@pytest.fixture(params=KINDS)
def stage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place to run a stage, once for each kind of wall."""
    require(request.param)
    monkeypatch.setattr(local, "sandbox_kind", lambda: request.param)
    return Place(tmp_path / "stage")


@pytest.fixture
def walled(tmp_path: Path) -> Place:
    """A place to run a stage behind bubblewrap."""
    require("bubblewrap")
    return Place(tmp_path / "stage")


@pytest.fixture
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A place to run a stage as a plain process."""
    monkeypatch.setattr(local, "sandbox_kind", lambda: "none")
    return Place(tmp_path / "stage")
