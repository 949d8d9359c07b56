"""Cuts a plain process off from the machine: bubblewrap where it works, `unshare`, or nothing.

With bubblewrap a stage sees an allow-list: the system's programs, its interpreter, its own folder, the kit, `/in` and
`/out`; no network, no home, no data set, no store. What is in force is told, never assumed: each way is tried once.
"""

import functools
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tonegap.engines.gpus import host_gpus, identities

SandboxKind = Literal["bubblewrap", "unshare", "none"]

_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32")
_ETC = ("ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "passwd", "group", "localtime")
_NO_MOUNTS = ("--unshare-user", "--disable-userns")
_SHARED_ROOM = 1 << 30
PACKAGE = "tonegap"  # its folder in an environment
_GPU_DEVICES = ("nvidiactl", "nvidia-uvm", "nvidia-uvm-tools", "nvidia-modeset")


@dataclass(frozen=True, slots=True)
class Mounts:
    """The host folders of one stage."""

    in_dir: Path
    out_dir: Path
    tmp_dir: Path
    plugin: Path
    kit: Path


@functools.cache
def sandbox_kind() -> SandboxKind:
    """The strongest way that works on this machine, found by trying it."""
    if _works([*bubblewrap(), "--ro-bind", "/", "/", "--proc", "/proc", "true"], "bwrap"):
        return "bubblewrap"
    return "unshare" if _works(["unshare", "--net", "true"], "unshare") else "none"


def _works(argv: list[str], program: str) -> bool:
    if shutil.which(program) is None:
        return False
    try:
        return subprocess.run(argv, capture_output=True, timeout=20, check=False).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@functools.cache
def apptainer_version() -> str:
    """What this machine's Apptainer calls itself, "Apptainer 1.4.5"; "" where there is none that starts."""
    try:
        said = subprocess.run(
            ["apptainer", "version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return f"Apptainer {said.stdout.strip()}" if said.stdout.strip() else ""


def bubblewrap() -> list[str]:
    """The words that begin every use of it: namespaces of its own, none outlives its starter."""
    return ["bwrap", "--unshare-all", "--die-with-parent", "--new-session"]


@functools.cache
def mounts_nothing() -> bool:
    """Whether a stage in bubblewrap can be kept from mounting file systems in memory (0.8 on)."""
    options = ["--ro-bind", "/", "/", "--size", "4096", "--tmpfs", "/tmp", "true"]
    return _works([*bubblewrap(), *_NO_MOUNTS, *options], "bwrap")


def shared_memory(limit_mib: int) -> list[str]:
    """A `/dev/shm` of its own: the watch sees all that is in it, closed and deleted files too."""
    if not mounts_nothing():
        return ["--tmpfs", "/dev/shm"]
    # Larger than the limit, so that the watch is first and says which limit it was.
    return [*_NO_MOUNTS, "--size", str((limit_mib << 20) + _SHARED_ROOM), "--tmpfs", "/dev/shm"]


def sandbox_argv(
    kind: SandboxKind, mounts: Mounts, gpus: Sequence[str], memory_mib: int
) -> list[str]:
    """The words to put before a stage's command; inside, paths are those of `inside`."""
    if kind == "unshare":
        return ["unshare", "--net", "--"]
    if kind == "none":
        return []
    argv = [*bubblewrap(), "--cap-drop", "ALL", "--proc", "/proc", "--dev", "/dev"]
    argv += shared_memory(memory_mib)
    # No tmpfs: that would be memory without a limit. First, for an interpreter may lie below it.
    argv += ["--bind", str(mounts.tmp_dir), "/tmp"]
    for folder in _SYSTEM:
        path = Path(folder)
        if path.is_symlink():
            argv += ["--symlink", str(path.readlink()), folder]
        elif path.exists():
            argv += ["--ro-bind", folder, folder]
    for name in _ETC:
        argv += ["--ro-bind-try", f"/etc/{name}", f"/etc/{name}"]
    argv += [word for prefix in _interpreter_folders() for word in ("--ro-bind", prefix, prefix)]
    argv += [word for own in own_packages() for word in ("--tmpfs", own, "--remount-ro", own)]
    if gpus:
        argv += ["--ro-bind-try", "/sys", "/sys"]
        # By index those devices alone; of a slice of one only the driver knows which it is.
        indices = [identities().get(gpu, gpu) for gpu in gpus]
        nodes = indices if all(map(str.isdigit, indices)) else host_gpus()
        for device in (*(f"nvidia{node}" for node in nodes), *_GPU_DEVICES):
            argv += ["--dev-bind-try", f"/dev/{device}", f"/dev/{device}"]
    argv += ["--ro-bind", str(mounts.plugin), "/plugin", "--ro-bind", str(mounts.kit), "/kit"]
    argv += ["--ro-bind", str(mounts.in_dir), "/in", "--bind", str(mounts.out_dir), "/out"]
    # The root and /dev are file systems in memory too, and would be memory without a limit.
    return [*argv, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/plugin", "--"]


def inside(kind: SandboxKind, mounts: Mounts) -> Mounts:
    """The same folders as the stage sees them."""
    if kind != "bubblewrap":
        return mounts
    return Mounts(Path("/in"), Path("/out"), Path("/tmp"), Path("/plugin"), Path("/kit"))


def own_packages() -> list[str]:
    """Folders of tonegap among those that a stage sees: a wheel has the suite root in it, labels of test images too."""
    places = {
        Path(sysconfig.get_path(name)) for name in ("purelib", "platlib")
    } | _package_folders()
    seen = (*_interpreter_folders(), *_SYSTEM)
    found = {str(place / PACKAGE) for place in places if (place / PACKAGE).is_dir()}
    found.add(str(Path(__file__).resolve().parents[1]))
    return sorted(own for own in found if any(own.startswith(f"{top}/") for top in seen))


def _package_folders() -> set[Path]:
    """Folders of packages that the interpreter looks in, also those of another environment that a .pth file names."""
    named = (Path(place) for place in sys.path)
    return {p for p in named if p.name in {"site-packages", "dist-packages"} and p.is_dir()}


def _interpreter_folders() -> list[str]:
    """Folders that the running interpreter and its packages need, outside the system's own."""
    wanted = {sys.prefix, sys.base_prefix, sysconfig.get_path("purelib")}
    wanted |= {str(Path(sys.executable).parent), *map(str, _package_folders())}
    return sorted(
        folder
        for folder in wanted
        if not any(folder == top or folder.startswith(f"{top}/") for top in _SYSTEM)
    )
