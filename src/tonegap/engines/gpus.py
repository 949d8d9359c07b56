"""The GPUs of this machine: how they are named, which there are, and a lock so that no two runs share one.

A name is an index as NVIDIA counts (`0`), a slice of one (`0:1`), or the identity that the driver gives it
(`GPU-…`, `MIG-…`), which stays when cards are moved.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
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


def card(gpu: str, driver: Path = _DRIVER) -> str:
    """One name of a GPU for all it has: its index where the driver tells that, without zeros before it."""
    return re.sub(r"\b0+(?=\d)", "", identities(driver).get(gpu, gpu))


def _lock_folder() -> Path:
    """The first folder where every user may leave a lock: the same for all, whatever their TMPDIR, if there is one."""
    for folder in (Path("/run/lock"), Path("/tmp")):
        if folder.is_dir() and folder.stat().st_mode & 0o002 and os.access(folder, os.W_OK):
            return folder
    return Path(tempfile.gettempdir())


@contextmanager
def try_gpu(gpu: str, driver: Path = _DRIVER, folder: Path | None = None) -> Iterator[bool]:
    """Whether this GPU is nobody else's now; while it is used, no other stage of any run of this machine gets it.

    An index and the driver's identity are one GPU. Raises EngineError where the lock cannot be made.
    """
    path = (folder or _lock_folder()) / f"tonegap-gpu-{card(gpu, driver).replace('/', '_')}.lock"
    flags = os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | flags, 0o666))
            path.chmod(0o666)  # for other users, whatever the umask
        handle = os.open(path, os.O_RDONLY | flags)
    except OSError as e:
        raise EngineError(f"{path}: no lock for GPU {gpu}: {e.strerror}") from None
    try:
        yield take_lock(handle, wait=False)
    finally:
        os.close(handle)


def try_gpus(
    gpus: Sequence[str], n: int, driver: Path = _DRIVER, folder: Path | None = None
) -> tuple[tuple[str, ...], contextlib.ExitStack]:
    """`n` of these GPUs that are nobody else's now, and what gives them back.

    None at all where fewer are free: two stages never hold a part each and wait for the other's. Raises EngineError
    where a lock cannot be made.
    """
    with contextlib.ExitStack() as held:
        mine: list[str] = []
        for gpu in gpus:
            if len(mine) < n and held.enter_context(try_gpu(gpu, driver, folder)):
                mine.append(gpu)
        if len(mine) == n:
            return tuple(mine), held.pop_all()
    return (), contextlib.ExitStack()
