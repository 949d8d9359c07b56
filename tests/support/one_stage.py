"""A stage to be run by an engine, outside any suite."""

import threading
from pathlib import Path

import msgspec

from tonegap.declared.plugin import Plugin, PluginFile
from tonegap.declared.suite import Limits
from tonegap.engines.base import Environment, RunSpec
from tonegap.engines.images.resolve import StageImage


def image_with(image_id, bound=None):
    return StageImage("baselines/plain", image_id, Environment("e", {}), bound)


def plugin(*command):
    file = PluginFile("Plain", "for tests", command=command, stages=("train",))
    return Plugin("plain", "baseline", Path("/nowhere"), file)


class Work:
    """A work folder and what is to be done in it."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("in", "out", "tmp"):
            (folder / name).mkdir(parents=True)
        (folder / "in" / "job.json").write_text("{}")
        self.out = folder / "out"
        self.log = folder / "log.txt"
        self.progress = []
        self.cancelled = threading.Event()

    def spec(self, mode, gpus=(), threads=1, **limits):
        wanted = {"timeout_s": 60, "memory_mib": 128, "output_mib": 20} | limits
        return RunSpec(
            plugin=plugin("python", "stage.py", mode),
            stage="train",
            in_dir=self.folder / "in",
            out_dir=self.out,
            tmp_dir=self.folder / "tmp",
            log=self.log,
            limits=msgspec.convert(wanted, Limits),
            threads=threads,
            gpus=gpus,
            cancelled=self.cancelled,
            on_progress=lambda done, total: self.progress.append((done, total)),
        )
