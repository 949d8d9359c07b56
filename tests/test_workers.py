"""Processes that work for another: results in order, and nobody left when it ends, however it ends."""

import math
import operator
import os
import signal
import subprocess
import sys
import time
from concurrent.futures.process import BrokenProcessPool

import psutil
import pytest
from stopping import heir

from tonegap.workers import map_in_processes

SLEEPERS = """
import time
from tonegap.workers import map_in_processes

if __name__ == "__main__":
    print("ready", flush=True)
    list(map_in_processes(time.sleep, [60] * 6, 2, 1))
"""


def test_results_come_in_the_order_of_the_items():
    assert list(map_in_processes(operator.neg, range(7), 2, 2)) == [0, -1, -2, -3, -4, -5, -6]


def test_an_error_of_the_work_is_raised_and_ends_the_rest():
    with pytest.raises(ValueError, match="math domain error"):
        list(map_in_processes(math.sqrt, [1.0, -1.0, 1.0], 2, 1))


def test_a_worker_that_is_killed_is_told():
    with pytest.raises(BrokenProcessPool):
        list(map_in_processes(os._exit, [1], 2, 1))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment_s", [0.05, 0.3, 2.5])
def test_nobody_outlives_the_one_they_work_for(tmp_path, number, moment_s):
    """Also while they start: until then they know nothing of who started them."""
    (tmp_path / "sleepers.py").write_text(SLEEPERS)
    argv = [sys.executable, str(tmp_path / "sleepers.py")]
    nobody = subprocess.DEVNULL
    before = set(psutil.Process().children(recursive=True))
    with (
        heir(),
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=nobody, text=True) as process,
    ):
        assert process.stdout.readline() == "ready\n"
        time.sleep(moment_s)
        process.send_signal(number)
        process.wait(20)
        assert process.stdout.read() == ""  # nobody holds the pipe
        deadline = time.monotonic() + 3
        left = set(psutil.Process().children(recursive=True)) - before
        while any(p.is_running() and p.status() != psutil.STATUS_ZOMBIE for p in left):
            assert time.monotonic() < deadline, left
            time.sleep(0.02)


HURRIED = """
import os, signal, threading, time
from multiprocessing import util
from tonegap.workers import map_in_processes

spawn = util.spawnv_passfds

def disturbed(path, args, passed):
    \"\"\"Another thread takes the signal when the process is there and has no orders yet.\"\"\"
    started = spawn(path, args, passed)
    if any(b"spawn_main" in os.fsencode(word) for word in args):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
    return started

def interrupted(number, frame):
    raise KeyboardInterrupt

if __name__ == "__main__":
    signal.signal(signal.SIGINT, interrupted)
    # A thread that does not block what the main thread blocks.
    threading.Thread(target=time.sleep, args=(5,), daemon=True).start()
    util.spawnv_passfds = disturbed
    try:
        list(map_in_processes(time.sleep, [0] * 6, 2, 1))
    except KeyboardInterrupt:
        print("interrupted", flush=True)
"""


def test_a_signal_in_the_middle_of_a_launch_waits_until_the_workers_have_their_orders(tmp_path):
    (tmp_path / "hurried.py").write_text(HURRIED)
    argv = [sys.executable, str(tmp_path / "hurried.py")]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "interrupted\n", "")
