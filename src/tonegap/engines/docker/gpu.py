"""A GPU for a container, and the proof that it has one.

Where an engine knows devices by name (CDI), it is asked by name; Docker without CDI by NVIDIA's own hook. Engines
differ: one refuses a request that it cannot serve, another ignores it and the stage runs on the CPU. So the
proof is a look from inside, before the stage's command; the kit looks again, with torch.
"""

from collections.abc import Sequence

from docker.types import DeviceRequest

from tonegap.engines.docker.daemon import Daemon
from tonegap.engines.gpus import host_gpus
from tonegap.errors import EngineError
from tonegap.lines import one_line

NO_GPU_CODE = 97
NO_GPU_TEXT = "a GPU was asked for and none is visible inside the container"
_KIND = "nvidia.com/gpu="
_PODMAN = (5, 4)  # older ones drop what is asked for by name through this socket
_PROBE = f"""\
for device in /dev/nvidia[0-9]* /dev/dxg; do
  [ -e "$device" ] && exec "$@"
done
echo 'tonegap: {NO_GPU_TEXT}' >&2
exit {NO_GPU_CODE}
"""


def known_gpus(daemon: Daemon) -> tuple[str, ...]:
    """The GPUs an engine has, each once: by identity where it says all of those, else by index; else the machine's."""
    names = {one.removeprefix(_KIND) for one in daemon.devices if one.startswith(_KIND)}
    by_identity = {name for name in names if name.startswith(("GPU-", "MIG-"))}
    by_index = names - by_identity - {"all", ""}
    found = by_identity if len(by_identity) >= len(by_index) else by_index
    order = sorted(found, key=lambda name: (len(name) if name.isdecimal() else 0, name))
    return tuple(order) or host_gpus()


def by_name(daemon: Daemon) -> bool:
    """Whether an engine is asked for GPUs by name (CDI)."""
    return daemon.product == "Podman" or any(one.startswith(_KIND) for one in daemon.devices)


def device_requests(gpus: Sequence[str], daemon: Daemon) -> list[DeviceRequest]:
    """What to ask the engine for: those devices, or nothing.

    Raises EngineError where the engine does not have one of them, or would drop the request.
    """
    if not gpus:
        return []
    if daemon.product == "Podman" and daemon.release < _PODMAN:
        raise EngineError(
            f"{daemon.label} drops requests for a GPU; Podman 5.4 or newer is wanted, with what "
            "`nvidia-ctk cdi generate` writes, or use Docker"
        )
    if not by_name(daemon):
        hook = [["gpu", "compute", "utility"]]
        return [DeviceRequest(driver="nvidia", device_ids=list(gpus), capabilities=hook)]
    for gpu in gpus:
        if daemon.devices and _KIND + gpu not in daemon.devices:
            listed = ", ".join(sorted(one.removeprefix(_KIND) for one in daemon.devices))
            raise EngineError(f"--gpus: {daemon.label} has no GPU {gpu}; it has {one_line(listed)}")
    return [DeviceRequest(driver="cdi", device_ids=[_KIND + gpu for gpu in gpus])]


def gpu_variables(gpus: Sequence[str], daemon: Daemon) -> dict[str, str]:
    """What a container is told: NVIDIA's hook, where it is every container's, gives a CPU stage nothing.

    The GPUs that a stage is given are counted from 0 inside.
    """
    return {
        "CUDA_VISIBLE_DEVICES": ",".join(map(str, range(len(gpus)))),
        "NVIDIA_VISIBLE_DEVICES": "void" if by_name(daemon) else ",".join(gpus) or "void",
    }


def probed(argv: Sequence[str], gpus: Sequence[str]) -> list[str]:
    """The command, started only where a device is visible if one was asked for."""
    return ["/bin/sh", "-c", _PROBE, "probe", *argv] if gpus else list(argv)
