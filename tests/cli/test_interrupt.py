"""A command that gets a signal: it stops, or it is ended."""

import signal
import subprocess
import sys
import threading
import time

import pytest

from tonegap.cli.interrupt import SAID, interruptible

HEAD = "import hashlib, signal, threading, time\nfrom tonegap.cli.interrupt import end, interruptible, patient\n"
# Ways not to stop: deaf, busy outside of Python, and with a thread at work that nobody stops.
STUBBORN = {
    "deaf": """
with interruptible():
    while True:
        try:
            print("ready", flush=True)
            time.sleep(60)
        except KeyboardInterrupt:
            continue
""",
    "busy": """
with interruptible():
    said = False
    while True:
        try:
            if not said:
                said = True
                print("ready", flush=True)
            hashlib.pbkdf2_hmac("sha256", b"", b"", 1_000_000_000)
        except KeyboardInterrupt:
            continue
""",
    "with a thread": """
threading.Thread(target=time.sleep, args=(60,)).start()
try:
    with interruptible():
        print("ready", flush=True)
        time.sleep(60)
except KeyboardInterrupt:
    end()
""",
}


@pytest.fixture
def started():
    """Starts such a command and waits until it is at work."""
    begun = []

    def start(code):
        argv = [sys.executable, "-c", HEAD + code]
        pipe = subprocess.PIPE
        begun.append(subprocess.Popen(argv, stdout=pipe, stderr=pipe, text=True))
        assert begun[-1].stdout.readline() == "ready\n"
        return begun[-1]

    yield start
    for process in begun:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stderr.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_interrupts_and_another_does_not_disturb_the_clearing_up(number):
    before = signal.getsignal(number)
    cleared = False
    with pytest.raises(KeyboardInterrupt), interruptible():  # noqa: PT012 - the second is within the first
        try:
            signal.raise_signal(number)
        finally:
            signal.raise_signal(number)
            cleared = True
    assert cleared
    assert signal.getsignal(number) == before


@pytest.mark.parametrize("way", STUBBORN)
def test_a_command_that_does_not_stop_is_ended_and_says_how_to_go_on(started, way):
    process = started(STUBBORN[way])
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    _out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert SAID in err.splitlines()
    assert time.monotonic() - began < 8


def test_a_second_signal_ends_it_at_once_unless_it_is_the_same_one_twice(started):
    """`timeout` sends TERM to its child and then to its group."""
    process = started("keep = patient(60)\nkeep.__enter__()" + STUBBORN["deaf"])
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGTERM)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 130
    process.communicate()


def test_an_interruption_within_an_exec_of_text_has_the_same_exit_code(started):
    """Every dataclass is made by one; Python remembers it and would end by SIGINT."""
    process = started("""
try:
    with interruptible():
        exec('print("ready", flush=True)\\ntime.sleep(60)')
except KeyboardInterrupt:
    pass
end()
""")
    process.send_signal(signal.SIGHUP)
    assert process.wait(20) == 130


def test_an_interruption_that_python_would_drop_is_not_lost(started):
    """In a finaliser, where Python prints an exception and goes on."""
    process = started("""
class Last:
    def __del__(self):
        print("ready", flush=True)
        time.sleep(60)

try:
    with interruptible(), patient(20):
        Last()
        time.sleep(60)
except KeyboardInterrupt:
    end()
""")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (130, "")
    assert err == f"{SAID}\n"


def test_nobody_listens_any_more(started):
    """A terminal that was closed is no reason for a traceback, or to stay."""
    process = started(STUBBORN["busy"])
    process.stdout.close()
    process.stderr.close()
    process.send_signal(signal.SIGHUP)
    assert process.wait(20) == 130


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) not in {signal.SIG_IGN, signal.SIG_DFL}
    finally:
        signal.signal(signal.SIGHUP, before)


def test_in_another_thread_nothing_changes():
    found = []

    def work():
        with interruptible():
            found.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGTERM)]


def test_no_thread_and_no_handle_is_left():
    from pathlib import Path

    def n_handles():
        return len(list(Path("/proc/self/fd").iterdir()))

    before = threading.active_count(), n_handles()
    for _ in range(20):
        with interruptible():
            pass
    assert (threading.active_count(), n_handles()) == before


LOADING = """
import os, runpy, signal, sys
from importlib.abc import MetaPathFinder

class Interrupting(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name == "tonegap.cli.interrupt":
            os.kill(os.getpid(), signal.SIGINT)

sys.meta_path.insert(0, Interrupting())
"""


@pytest.mark.parametrize(
    "begun",
    [
        'runpy.run_module("tonegap", run_name="__main__")',
        "from tonegap.__main__ import main; main()",
    ],
)
def test_an_interruption_while_the_command_line_loads_is_a_sentence(begun):
    argv = [sys.executable, "-c", LOADING + begun]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (130, "stopped; run the same command again\n")
