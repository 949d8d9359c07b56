"""What this machine can enforce, found by trying; nothing is assumed."""

import importlib.metadata
import os
import shutil
from pathlib import Path

import psutil

from tonegap.engines.local import kit_requirements
from tonegap.engines.sandbox import sandbox_kind

_WALLS = {
    "bubblewrap": "bubblewrap: no network, an allow-list of folders, read-only",
    "unshare": "unshare: no network; files of the host can be read",
    "none": "none: a stage can read the host's files and use its network",
}


def probe(root: Path) -> dict[str, str]:
    """Findings by name, for a reader."""
    return {
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{psutil.virtual_memory().total / 2**30:.1f} GiB",
        "free disk": f"{shutil.disk_usage(root).free / 2**30:.1f} GiB at {root}",
        "walls of the local engine": _WALLS[sandbox_kind()],
        "memory limit of the local engine": "watched: a stage over it is killed within 0.25 s",
        "local engine": _local(root),
        "GPU devices": _gpus(),
    }


def _local(root: Path) -> str:
    missing, found = [], []
    for name in kit_requirements(root / "docker" / "kit"):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return f"cannot run stages: no {', '.join(missing)}; pip install 'tonegap[local]'"
    return "ready: " + ", ".join(found)


def _gpus() -> str:
    devices = sorted(path.name for path in Path("/dev").glob("nvidia[0-9]*"))
    return ", ".join(devices) or "none"
