"""Measures the memory of a tree of processes: pages of its own, shared ones, files in `/dev/shm`, memfds.

The mistake it exists to prevent: a stage far over its memory limit with memory that no process has as its own.
"""

import contextlib
import functools
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

_SHARED = Path("/dev/shm")
_KIB = 1024
_Object = tuple[int, int]  # device and inode; inode 0: a whole file system


def held_bytes(pids: Sequence[int], enough: int) -> int:
    """Bytes of memory that these processes hold, swapped ones included.

    A bound from above that is quick to have, unless it is above `enough`: then each page counts once, whoever
    shares it. Mapped files are left out, as the images that a stage maps are the page cache's. Not seen, and not
    counted: memory of other users' processes, files that a stage without a sandbox has closed in the machine's own
    `/dev/shm`, SysV segments that are attached nowhere.
    """
    objects = _objects(pids)
    total = sum(objects.values())
    bound = total + sum(
        _sum(pid, "status", ("RssAnon:", "RssShmem:", "VmSwap:", "HugetlbPages:")) for pid in pids
    )
    if bound <= enough:
        return bound
    shares = ("Pss_Anon:", "SwapPss:", "Private_Hugetlb:")
    own = sum(_sum(pid, "smaps_rollup", shares) for pid in pids)
    return total + own + sum(_mapped(pid, objects) for pid in pids)


def _objects(pids: Sequence[int]) -> dict[_Object, int]:
    """Bytes of memory in files that have no disk: those held open, and all in a `/dev/shm` of their own."""
    found: dict[_Object, int] = {}
    kept = _kept_in_memory()
    for pid in pids:
        with contextlib.suppress(OSError):
            root = Path(f"/proc/{pid}/root")
            device = (root / "dev/shm").stat().st_dev
            if device not in {*kept, root.stat().st_dev}:
                size = os.statvfs(root / "dev/shm")
                found[device, 0] = (size.f_blocks - size.f_bfree) * size.f_frsize
        with contextlib.suppress(OSError), os.scandir(f"/proc/{pid}/fd") as handles:
            for handle in handles:
                with contextlib.suppress(OSError):
                    status = handle.stat()
                    if status.st_dev in kept:
                        found[status.st_dev, status.st_ino] = status.st_blocks * 512
    return found


@functools.cache
def _kept_in_memory() -> frozenset[int]:
    """Devices of files without a disk: memfds and shared mappings, and this machine's `/dev/shm`."""
    handle = os.memfd_create("tonegap")
    try:
        devices = {os.fstat(handle).st_dev}
    finally:
        os.close(handle)
    if _SHARED.is_mount():
        devices.add(_SHARED.stat().st_dev)
    return frozenset(devices)


def _sum(pid: int, name: str, fields: tuple[str, ...]) -> int:
    """Bytes in some fields of a file of /proc, 0 where it is not to be had."""
    lines = [line for line in _lines(pid, name) if line.startswith(fields)]
    return sum(int(line.split()[1]) * _KIB for line in lines)


def _mapped(pid: int, objects: dict[_Object, int]) -> int:
    """Bytes of shared memory that a process maps and nobody holds open, its share of them."""
    total, counts = 0, False
    for line in _lines(pid, "smaps"):
        words = line.split()
        if "-" in words[0]:  # 7f91c194e000-7f91c204e000 rw-s 00000000 00:01 8 /dev/zero (deleted)
            major, minor = words[3].split(":")
            place = (os.makedev(int(major, 16), int(minor, 16)), int(words[4]))
            counts = place[0] in _kept_in_memory() and place not in objects
        elif counts and words[0] == "Pss:":
            total += int(words[1]) * _KIB
    return total


def _lines(pid: int, name: str) -> Iterator[str]:
    with (
        contextlib.suppress(OSError),
        Path(f"/proc/{pid}/{name}").open(encoding="utf-8", errors="replace") as f,
    ):
        yield from f
