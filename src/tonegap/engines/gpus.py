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

from tonegap.errors import EngineError, file_errors
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


def _lock_path(gpu: str, driver: Path, folder: Path | None) -> Path:
    name = card(gpu, driver).replace("/", "_")
    return (folder or _lock_folder()) / f"tonegap-gpu-{name}.lock"


@contextmanager
def try_gpu(gpu: str, driver: Path = _DRIVER, folder: Path | None = None) -> Iterator[bool]:
    """Whether this GPU is nobody else's now; while it is used, no other stage of any run of this machine gets it.

    An index and the driver's identity are one GPU. Raises EngineError where the lock cannot be made.
    """
    path = _lock_path(gpu, driver, folder)
    flags = os.O_NOFOLLOW | os.O_CLOEXEC
    with file_errors(EngineError, f"{path}: no lock for GPU {gpu}"):
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_CREAT | os.O_EXCL | flags, 0o666))
            path.chmod(0o666)  # for other users, whatever the umask
        handle = os.open(path, os.O_RDONLY | flags)
    try:
        if mine := take_lock(handle, wait=False):
            with contextlib.suppress(OSError):  # who has it is for people alone
                told = os.open(path, os.O_WRONLY | os.O_TRUNC | flags)
                os.write(told, str(os.getpid()).encode())
                os.close(told)
        yield mine
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


def held_by_others(
    gpus: Sequence[str], driver: Path = _DRIVER, folder: Path | None = None
) -> tuple[str, ...]:
    """`GPU 7 (process 123)` for each of these that a stage of another process has now; `GPU 7` where it told no number.

    Raises EngineError where a lock cannot be made.
    """
    found = []
    for gpu in gpus:
        with try_gpu(gpu, driver, folder) as free:
            said = "" if free else _lock_path(gpu, driver, folder).read_text(errors="replace")[:20]
        if not free and said != str(os.getpid()):
            found.append(f"GPU {gpu} (process {said})" if said.isdecimal() else f"GPU {gpu}")
    return tuple(found)
