"""Runs one stage in a process of its own, to be killed by a test: FOLDER KIND."""

import sys
import threading
from pathlib import Path

from tonegap.declared.plugin import Plugin, PluginFile
from tonegap.declared.suite import Limits
from tonegap.engines import local
from tonegap.engines.base import RunSpec

folder, kind = Path(sys.argv[1]), sys.argv[2]
local.sandbox_kind = lambda: kind
about = PluginFile("t", "a", command=("sh", "stage.sh"), stages=("train",))
spec = RunSpec(
    plugin=Plugin("plain", "baseline", folder / "plugin", about),
    stage="train",
    in_dir=folder / "in",
    out_dir=folder / "out",
    tmp_dir=folder / "tmp",
    log=folder / "log.txt",
    limits=Limits(timeout_s=60),
    threads=1,
    cancelled=threading.Event(),
)
local.LocalEngine(folder / "kit").run(spec)
