"""The GPUs of this machine: how they are named, which there are, and a lock so that no two runs share one.

A name is an index as NVIDIA counts (`0`), a slice of one (`0:1`), or the identity that the driver gives it
(`GPU-…`, `MIG-…`), which stays when cards are moved.
"""

import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tonegap.errors import EngineError
from tonegap.files import take_lock

GPU_NAME = re.compile(r"\d{1,3}(:\d{1,2})?|(GPU|MIG)-[0-9A-Za-z/-]{1,100}")
_DRIVER = Path("/proc/driver/nvidia/gpus")
_IDENTITY = re.compile(r"^GPU UUID:\s*(\S+)$", re.MULTILINE)
_MINOR = re.compile(r"^Device Minor:\s*(\d+)$", re.MULTILINE)


def host_gpus() -> tuple[str, ...]:
    """Indices of the GPUs whose devices this machine has."""
    found = (path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*"))
    return tuple(sorted(found, key=int))


def identities(driver: Path = _DRIVER) -> dict[str, str]:
    """Index of each GPU by the identity that the driver gives it; none without NVIDIA's driver."""
    found = {}
    for path in driver.glob("*/information"):
        text = path.read_text(encoding="utf-8", errors="replace")
        if (identity := _IDENTITY.search(text)) and (minor := _MINOR.search(text)):
            found[identity[1]] = minor[1]
    return found


@contextmanager
def try_gpu(gpu: str, driver: Path = _DRIVER, folder: Path | None = None) -> Iterator[bool]:
    """Whether this GPU is nobody else's now; while it is used, no other stage of any run of this machine gets it.

    An index and the driver's identity are one GPU. Raises EngineError where the lock cannot be made.
    """
    known = identities(driver)
    index = known.get(gpu, gpu)
    path = (folder or Path(tempfile.gettempdir())) / f"tonegap-gpu-{index.replace('/', '_')}.lock"
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    except PermissionError:  # of another user, who made it under a narrow umask
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as e:
        raise EngineError(f"{path}: no lock for GPU {gpu}: {e.strerror}") from None
    try:
        yield take_lock(handle, wait=False)
    finally:
        os.close(handle)
