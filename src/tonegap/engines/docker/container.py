"""One stage's container as it is asked for: sandbox, limits, mounts, labels.

The mistake it exists to prevent: a restriction that only some stages have.
"""

from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import NotFound
from docker.models.containers import Container
from docker.models.images import Image
from docker.types import LogConfig, Mount, Ulimit

from tonegap.engines.base import RunSpec
from tonegap.engines.docker.daemon import Daemon
from tonegap.engines.docker.folders import User
from tonegap.engines.docker.gpu import device_requests, gpu_variables, probed
from tonegap.engines.images.resolve import StageImage
from tonegap.engines.sandbox import PACKAGE
from tonegap.engines.variables import stage_variables
from tonegap.errors import EngineError
from tonegap.formats.image_lock import SITE

STORE_LABEL = "tonegap.store"
WORK_LABEL = "tonegap.work"
STAGE_LABEL = "tonegap.stage"
PROCESSES = 512  # loaders, and the threads of linear algebra, take more than a hundred
OPEN_FILES = 4096
# Of all stages together, far above what they may: unless told, Podman asks for more than it has itself.
_USER_PROCESSES = 16384
_SHUT = ("/run", "/var/tmp")  # Podman opens these even in a read-only container
_MIB = 1 << 20
_NANO = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a stage's container belongs: its engine, user, and the store it works for."""

    daemon: Daemon
    user: User
    store: str


def create(
    client: docker.DockerClient, spec: RunSpec, image: StageImage, place: Placement
) -> Container:
    """The stage's container, not yet started; the image must be there, nothing is fetched.

    Raises EngineError for a folder to mount that is not there, docker-py's errors for the rest.
    """
    limits, plugin = spec.limits, spec.plugin.file
    folders = [(spec.in_dir, "/in", True), (spec.out_dir, "/out", False)]
    folders += [(image.bound, SITE, True)] if image.bound is not None else []
    # An environment has tonegap in it, and that the suite root with labels of test images.
    own = [f"{SITE}/{PACKAGE}"] if image.bound and (image.bound / PACKAGE).is_dir() else []
    variables = stage_variables(spec.threads, "/tmp", "", spec.numerics)
    argv = [*plugin.command, spec.stage, "--in", "/in", "--out", "/out"]
    return client.containers.create(
        image.id,
        name=f"tonegap-{spec.log.parent.name}",
        labels={  # what a later sweep knows it by
            STORE_LABEL: place.store,
            WORK_LABEL: spec.log.parent.name,
            STAGE_LABEL: f"{spec.plugin.label} {spec.stage}",
        },
        # The whole command is the entry point: an image's own would come before it.
        entrypoint=probed(argv, spec.gpus),
        environment=variables | gpu_variables(spec.gpus, place.daemon),
        hostname="stage",
        working_dir="/plugin",
        healthcheck={"test": ["NONE"]},
        user=place.user.spelled,
        network_mode="none",
        read_only=True,
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        init=True,
        mounts=[_mount(*folder) for folder in folders],
        tmpfs={
            "/tmp": f"rw,exec,nosuid,nodev,mode=1777,size={scratch_mib(limits.memory_mib)}m",
            **dict.fromkeys((*_SHUT, *own), "ro,noexec,nosuid,nodev,size=4k"),
        },
        shm_size=scratch_mib(limits.memory_mib) * _MIB,
        mem_limit=limits.memory_mib * _MIB,
        memswap_limit=limits.memory_mib * _MIB,
        nano_cpus=min(spec.threads * max(len(spec.gpus), 1), place.daemon.n_cpus) * _NANO,
        pids_limit=PROCESSES * max(len(spec.gpus), 1),
        ulimits=_ulimits((limits.output_mib + 1) * _MIB),
        device_requests=device_requests(spec.gpus, place.daemon),
        # What the stage says is read as it is said; the engine keeps no second copy on its disk.
        log_config=LogConfig(type="none"),
    )


def scratch_mib(memory_mib: int) -> int:
    """Size of `/tmp`, and of the memory that loaders share; both count as memory, so half of it."""
    return max(memory_mib // 2, 1)


def _ulimits(file_bytes: int) -> list[Ulimit]:
    """Limits of each process: no core files, the largest file, open files, processes of the user."""
    limits = {"core": 0, "fsize": file_bytes, "nofile": OPEN_FILES, "nproc": _USER_PROCESSES}
    return [Ulimit(name=name, soft=value, hard=value) for name, value in limits.items()]


def _mount(source: Path, target: str, read_only: bool) -> Mount:
    # Checked here: an engine may make an empty folder of what is missing, and mount that.
    if not source.is_dir():
        raise EngineError(f"{source}: no such folder, and {target} of the container is to be it")
    return Mount(target, str(source.resolve()), type="bind", read_only=read_only)


def check_image(client: docker.DockerClient, image: StageImage) -> None:
    """Checks that the engine has the image and that a stage may run in it; never fetches it.

    Raises EngineError where it is absent, or keeps folders that could be written past every limit.
    """
    try:
        found: Image = client.images.get(image.id)
    except NotFound:
        raise EngineError(
            f"the engine does not have the image of {image.name} ({image.id[:19]}…); run "
            f"`tonegap image build {image.name}` or `tonegap image import` its archive"
        ) from None
    if found.id != image.id:
        raise EngineError(f"the image of {image.name}: asked for {image.id}, found {found.id}")
    volumes = (found.attrs.get("Config") or {}).get("Volumes") or {}
    if volumes:
        raise EngineError(
            f"the image of {image.name} declares VOLUME {', '.join(sorted(volumes))}; a stage "
            "writes to /out alone, so take that line out of its Dockerfile"
        )
