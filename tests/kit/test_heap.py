"""Memory that is kept: the kernel is asked for it once, and numbers stay what they were."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

KIT = Path(__file__).parents[2] / "docker" / "kit"

# Twenty times 40 MiB, filled: more than glibc ever keeps by itself.
CODE = """
import resource
import numpy as np
from tonegap_kit.heap import keep_memory
kept = {keep} and keep_memory()
total = 0.0
for step in range(21):
    if step == 1:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    total += np.full(5 << 20, float(step)).sum()
faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(int(kept), faults, total.hex())
"""


def run(keep: bool) -> list[str]:
    env = {**os.environ, "PYTHONPATH": str(KIT)}
    words = [sys.executable, "-c", CODE.format(keep=keep)]
    return subprocess.run(words, env=env, capture_output=True, text=True, check=True).stdout.split()


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="another C library keeps its own way")
def test_a_block_that_was_freed_is_used_again():
    (kept, faults, total), (_, before, same) = run(True), run(False)
    assert kept == "1"
    # 20 blocks of 10,240 pages each, or of 20 large ones: asked for anew each time, or never again.
    assert int(faults) < int(before) / 10
    assert total == same
