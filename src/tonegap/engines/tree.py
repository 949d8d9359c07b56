"""A tree of processes seen from outside: its memory, processor time, and what it holds on disk.

The mistake it exists to prevent: a stage that fills the disk with files nobody sees, deleted while
they are open.
"""

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path

import psutil

from tonegap.engines.memory import held_bytes

_MIB = 1 << 20


class TreeUsage:
    """What the tree under one process has used, as far as samples know."""

    def __init__(self, pid: int) -> None:
        """`pid` is the first process of the tree."""
        self._pid = pid
        self._cpu_by_pid: dict[int, float] = {}
        self.peak_mib = 0.0

    @property
    def cpu_seconds(self) -> float:
        """Processor seconds seen so far."""
        return sum(self._cpu_by_pid.values())

    def sample(self, limit_mib: int) -> float:
        """A look at the tree: the memory it holds now in MiB; peak and processor time are kept.

        Exact where it is over the limit, see `held_bytes`; the peak has what its processes map as well.
        """
        resident, pids = 0, []
        for pid in _seen(self._pid):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                process = psutil.Process(pid)
                pids.append(pid)
                resident += process.memory_info().rss
                times = process.cpu_times()
                self._cpu_by_pid[process.pid] = times.user + times.system
        held_mib = held_bytes(pids, limit_mib * _MIB) / _MIB
        self.peak_mib = max(self.peak_mib, resident / _MIB, held_mib)
        return held_mib


def _seen(pid: int) -> list[int]:
    """A process and those below it, for a look at what they use.

    The kernel's lists of children cost nothing beside a walk through all processes of the machine, four times a second;
    one that is started meanwhile may be missing until the next look.
    """
    if not Path(
        f"/proc/{pid}/task/{pid}/children"
    ).exists():  # gone, or a kernel without such lists
        return [process.pid for process in processes(pid)]
    found = [pid]
    for number in found:
        with contextlib.suppress(OSError), os.scandir(f"/proc/{number}/task") as threads:
            for thread in threads:
                found += map(int, Path(thread.path, "children").read_text(encoding="ascii").split())
    return found


def processes(pid: int) -> list[psutil.Process]:
    """A process and all below it, as they are now; none where it is gone."""
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def signal_all(found: Iterable[psutil.Process], number: int) -> None:
    """Sends a signal to those of them that are still there."""
    for process in found:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.send_signal(number)


def deleted_bytes(pid: int, device: int) -> int:
    """Bytes on one disk in files that a tree holds open and has deleted; each file counts once.

    What cannot be seen (another user's processes) counts nothing.
    """
    sizes: dict[int, int] = {}
    for number in _seen(pid):
        with contextlib.suppress(OSError), os.scandir(f"/proc/{number}/fd") as handles:
            for handle in handles:
                with contextlib.suppress(OSError):
                    status = Path(handle.path).stat()
                    if status.st_nlink == 0 and status.st_dev == device:
                        sizes[status.st_ino] = max(status.st_size, status.st_blocks * 512)
    return sum(sizes.values())
