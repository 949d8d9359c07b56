"""What counts as a stage's memory: each page once, whoever owns it, and nothing that is not there."""

import mmap
import os
import time

import pytest

from tonegap.engines import memory
from tonegap.engines.memory import held_bytes

PYTHON = ("python", "stage.py")
MIB = 1 << 20
HOLD = "\nimport time\ntime.sleep(5)\n"
# Each takes 600 MiB in a way of its own.
HOARDS = {
    "private": "kept = bytearray(b'x') * (600 << 20)",
    "shared with nobody": """
import mmap
kept = mmap.mmap(-1, 600 << 20)
for i in range(0, len(kept), 4096):
    kept[i] = 1
""",
    "memfds": """
import os
for i in range(10):
    os.write(os.memfd_create(str(i)), b"x" * (60 << 20))
""",
    "open files in /dev/shm": """
import os
kept = [open(f"/dev/shm/tonegap-test-{os.getpid()}-{i}", "wb") for i in range(10)]
for f in kept:
    os.unlink(f.name)
    f.write(b"x" * (60 << 20))
    f.flush()
""",
}
CLOSED = """
import os
for i in range(10):
    with open(f"/dev/shm/{i}", "wb") as f:
        f.write(b"x" * (60 << 20))
"""
# Five processes that use the same 100 MiB, which each of them has touched.
SHARED_BY_FIVE = """
import mmap, os, time
kept = mmap.mmap(-1, 100 << 20)
alone = bytearray(b"x") * (40 << 20)
for _ in range(4):
    if os.fork() == 0:
        break
for i in range(0, len(kept), 4096):
    kept[i] = 1
sum(alone[::4096])
time.sleep(1.5)
"""


@pytest.mark.parametrize("hoard", HOARDS)
def test_memory_of_every_kind_counts(stage, hoard):
    stage.command = PYTHON
    result = stage(HOARDS[hoard] + HOLD, memory_mib=200, output_mib=100)
    assert result.cause == "oom"
    assert result.text.endswith("MiB of memory; its limit is 200")
    assert result.peak_memory_mib > 200


def test_files_that_were_closed_count_where_a_stage_has_a_dev_shm_of_its_own(walled):
    walled.command = PYTHON
    assert walled(CLOSED + HOLD, memory_mib=200, output_mib=100).cause == "oom"


def test_what_processes_share_counts_once(stage):
    """140 MiB in all. Summed over processes it would be 700."""
    stage.command = PYTHON
    result = stage(SHARED_BY_FIVE, memory_mib=250)
    assert (result.cause, result.text) == ("ok", "")


def test_a_stage_mounts_no_memory_of_its_own(walled):
    result = walled("unshare --user --map-root-user --mount true && echo mounted")
    assert result.cause == "method-error"
    assert "mounted" not in walled.log.splitlines()


def test_held_bytes_of_this_process():
    """64 MiB that are mapped and 32 that are only written, on top of what there is."""
    enough = 1 << 40
    before = held_bytes([os.getpid()], enough), held_bytes([os.getpid()], 0)
    handle = os.memfd_create("test")
    try:
        os.write(handle, b"x" * (32 * MIB))
        with mmap.mmap(-1, 64 * MIB) as mapped:
            mapped.write(b"x" * (64 * MIB))
            bound = held_bytes([os.getpid()], enough) - before[0]
            exact = held_bytes([os.getpid()], 0) - before[1]
    finally:
        os.close(handle)
    assert 96 <= exact / MIB < 100
    assert 96 <= bound / MIB < 100


def test_a_mapped_memfd_counts_once():
    before = held_bytes([os.getpid()], 0)
    handle = os.memfd_create("test")
    try:
        os.ftruncate(handle, 64 * MIB)
        with mmap.mmap(handle, 64 * MIB) as mapped:
            mapped.write(b"x" * (64 * MIB))
            assert 64 <= (held_bytes([os.getpid()], 0) - before) / MIB < 68
    finally:
        os.close(handle)


def test_a_process_that_is_gone_holds_nothing():
    assert held_bytes([1 << 22], 0) == 0  # no system has so many


def test_a_look_is_cheap():
    began = time.process_time()
    for _ in range(20):
        held_bytes([os.getpid()], 1 << 40)
    assert (time.process_time() - began) / 20 < 0.02


def test_a_machine_without_a_dev_shm_does_not_take_its_disk_for_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(memory, "_SHARED", tmp_path)
    memory._kept_in_memory.cache_clear()
    try:
        before = held_bytes([os.getpid()], 0)
        with (tmp_path / "file").open("wb") as f:
            f.write(b"x" * (32 * MIB))
            f.flush()
            assert (held_bytes([os.getpid()], 0) - before) / MIB < 16
    finally:
        memory._kept_in_memory.cache_clear()
