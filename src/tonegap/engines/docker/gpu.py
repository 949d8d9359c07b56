"""A GPU for a container, and the proof that it has one.

Engines differ: one refuses a request it cannot serve, another ignores it and the stage runs on the
CPU. So the proof is a look from inside, before the stage's command.
"""

from collections.abc import Sequence

from docker.types import DeviceRequest

NO_GPU_CODE = 97
NO_GPU_TEXT = "a GPU was asked for and none is visible inside the container"
_PROBE = f"""\
for device in /dev/nvidia[0-9]* /dev/dxg; do
  [ -e "$device" ] && exec "$@"
done
echo 'tonegap: {NO_GPU_TEXT}' >&2
exit {NO_GPU_CODE}
"""


def device_requests(gpu: int | None) -> list[DeviceRequest]:
    """What to ask the engine for: that one device, or nothing."""
    if gpu is None:
        return []
    return [DeviceRequest(device_ids=[str(gpu)], capabilities=[["gpu", "compute", "utility"]])]


def probed(argv: Sequence[str], gpu: int | None) -> list[str]:
    """The command, started only where a device is visible if one was asked for."""
    return list(argv) if gpu is None else ["/bin/sh", "-c", _PROBE, "probe", *argv]
