"""Tries the sandbox of a container from inside, in a stage like any other.

The mistake it exists to prevent: a restriction believed because an engine accepted the words for it.
"""

import tempfile
import threading
from pathlib import Path

from tonegap.declared.plugin import Plugin, PluginFile
from tonegap.declared.suite import Limits
from tonegap.engines.base import RunSpec
from tonegap.engines.docker.container import PROCESSES
from tonegap.engines.docker.engine import DockerEngine
from tonegap.engines.images.resolve import StageImage

_MEMORY_MIB = 128
_HELD = "every restriction held"
# Says one line: that every restriction held, or which did not. Limits are read where the kernel keeps them.
_LOOK = f"""\
import os, pathlib, socket
def refused(action):
    try:
        action()
    except OSError:
        return True
    return False
def says(value, *names):
    found = [pathlib.Path("/sys/fs/cgroup", name) for name in names]
    return value in [path.read_text().strip() for path in found if path.exists()]
status = pathlib.Path("/proc/self/status").read_text().split()
sandbox = {{
    "network": refused(lambda: socket.create_connection(("192.0.2.1", 80), timeout=2)),
    "read-only root": refused(lambda: pathlib.Path("/x").touch()),
    "read-only /in": refused(lambda: pathlib.Path("/in/x").touch()),
    "user": os.getuid() != 0 or {{rootless}},
    "capabilities": int(status[status.index("CapBnd:") + 1], 16) == 0,
    "no new privileges": status[status.index("NoNewPrivs:") + 1] == "1",
    "memory": says("{_MEMORY_MIB << 20}", "memory/memory.limit_in_bytes", "memory.max"),
    "processes": says("{PROCESSES}", "pids/pids.max", "pids.max"),
}}
gone = [name for name, held in sandbox.items() if not held]
print("did not hold: " + ", ".join(gone) if gone else "{_HELD}")
"""


def try_sandbox(image: StageImage, rootless: bool) -> str:
    """What a stage in that image found when it tried every restriction, in a few words."""
    look = _LOOK.replace("{rootless}", str(rootless))
    file = PluginFile(
        "Trial", "tries the sandbox", command=("python3", "-c", look), stages=("train",)
    )
    with tempfile.TemporaryDirectory(prefix="tonegap-trial-") as name:
        folder = Path(name)
        for below in ("in", "out", "tmp"):
            (folder / below).mkdir()
        spec = RunSpec(
            plugin=Plugin("trial", "baseline", folder, file),
            stage="train",
            in_dir=folder / "in",
            out_dir=folder / "out",
            tmp_dir=folder / "tmp",
            log=folder / "log.txt",
            limits=Limits(timeout_s=30, memory_mib=_MEMORY_MIB, output_mib=1),
            threads=1,
            cancelled=threading.Event(),
        )
        result = DockerEngine(lambda _plugin: image).run(spec)
        if result.cause != "ok":
            return f"could not be tried: {result.text}"
        return spec.log.read_text(encoding="utf-8").strip()
