"""Finds what this machine can enforce by trying it; nothing is assumed."""

import importlib.metadata
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import psutil

from tonegap.engines.local import kit_requirements, unseen_memory
from tonegap.engines.sandbox import apptainer_version, sandbox_kind
from tonegap.engines.slurm import Slurm, read_site
from tonegap.errors import EngineError, ToneGapError
from tonegap.numerics import can_be_portable, cores

_SANDBOXES = {
    "bubblewrap": "bubblewrap: no network, an allow-list of folders, read-only",
    "unshare": "unshare: no network; files of the host can be read",
    "none": "none: a stage can read the host's files and use its network",
}


def probe(root: Path) -> dict[str, str]:
    """Findings by name, for a reader."""
    found = probe_fields(root)
    kind, local, docker = found["sandbox"], found["engines"]["local"], found["engines"]["docker"]
    apptainer = found["engines"]["apptainer"]["version"]
    text = ", ".join(f"{name} {version}" for name, version in local["versions"].items())
    if not local["ready"]:
        missing = ", ".join(name for name, version in local["versions"].items() if version is None)
        text = f"cannot run stages: no {missing}; in a clone pip install -e '.[local]'"
    portable = "none: no x86 processor with AVX2 and FMA; every run is native"
    if found["portable_numerics"]:
        portable = "the same bytes as on every x86 processor with AVX2 and FMA"
    lines = {
        "cores": str(found["cores"]),
        "memory": f"{found['memory_bytes'] / 2**30:.1f} GiB",
        "free disk": f"{found['free_disk_bytes'] / 2**30:.1f} GiB at {root}",
        "sandbox of the local engine": _SANDBOXES[kind],
        "memory limit of the local engine": (
            f"watched{unseen_memory(kind)}; a stage over it is killed within 0.25 s"
        ),
        "local engine": f"ready: {text}" if local["ready"] else text,
        "portable numerics": portable,
        "GPU devices": ", ".join(found["gpus"]) or "none",
        "apptainer engine": f"ready: {apptainer}" if apptainer else "not on the PATH",
        "cluster": "ready: Slurm answers" if found["slurm"]["ready"] else found["slurm"]["reason"],
        "images of wheels": (
            "can be built" if found["mmdebstrap"] else "need mmdebstrap, the package of that name"
        ),
    }
    if not docker["ready"]:
        return lines | {"docker engine": docker["reason"]}
    kills = "reported like any other kill"
    if docker["tells_out_of_memory"]:
        kills = "distinguished from other kills"
    return lines | {
        "docker engine": f"ready: {docker['daemon']}{', rootless' if docker['rootless'] else ''}",
        "limits of the docker engine": _held_to(docker["enforces"]),
        "sandbox of the docker engine": _tried(root, docker["rootless"]),
        "memory kills of the docker engine": kills,
    }


def probe_fields(root: Path) -> dict[str, Any]:
    """The same for programs: numbers in bytes, versions by name, null where something is not there."""
    # Here, as docker-py takes a while to import.
    from tonegap.engines.docker.daemon import connected, describe

    docker: dict[str, object] = {"ready": False}
    try:
        with connected() as client:
            daemon = describe(client)
        docker = {"ready": True, "daemon": daemon.label, "rootless": daemon.rootless}
        docker |= {"enforces": sorted(daemon.enforces), "tells_out_of_memory": daemon.tells_oom}
    except EngineError as e:
        docker["reason"] = str(e)
    apptainer = apptainer_version()
    versions = {name: _version(name) for name in kit_requirements(root / "docker" / "kit")}
    return {
        "cores": cores(),
        "memory_bytes": psutil.virtual_memory().total,
        "free_disk_bytes": shutil.disk_usage(root).free,
        "suite_root": str(root),
        "sandbox": sandbox_kind(),
        "portable_numerics": can_be_portable(),
        "gpus": sorted(path.name for path in Path("/dev").glob("nvidia[0-9]*")),
        "engines": {
            "local": {"ready": None not in versions.values(), "versions": versions},
            "docker": docker,
            "apptainer": {"ready": bool(apptainer), "version": apptainer or None},
        },
        "slurm": _slurm(),
        "mmdebstrap": shutil.which("mmdebstrap") is not None,
    }


def _slurm() -> dict[str, object]:
    if shutil.which("sbatch") is None:
        return {"ready": False, "reason": "no Slurm: sbatch is not on the PATH"}
    try:
        Slurm(read_site()).check()
    except ToneGapError as e:
        return {"ready": False, "reason": str(e)}
    return {"ready": True}


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _held_to(enforces: Collection[str]) -> str:
    from tonegap.engines.docker.daemon import MEANS

    missing = [name for name in MEANS if name not in enforces]
    text = ", ".join(name for name in MEANS if name in enforces) + "; output is watched"
    return f"{text}; not to be had: {', '.join(missing)}" if missing else text


def _tried(root: Path, rootless: bool) -> str:
    """What a container of some image from the lock found, trying its sandbox."""
    from tonegap.engines.docker.trial import try_sandbox
    from tonegap.engines.images.resolve import stage_image
    from tonegap.formats.image_lock import read_lock

    images = read_lock(root).images
    if not images:
        return "not tried: no image yet; run `tonegap image build`"
    name = min(images)
    return f"{try_sandbox(stage_image(images[name]), rootless)} (tried in {name})"
