"""Commands stopped at random moments: how they ended, what was left alive, whether they can go on.

The processes that a command starts become children of this one when their parents die, whatever session they are in:
so nothing that is left can hide.
"""

import contextlib
import ctypes
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

_PR_SET_CHILD_SUBREAPER = 36
_POLL_S = 0.02
# Ctrl-C and a closed terminal reach every process of the terminal; TERM and KILL reach one.
_OF_TERMINALS = (signal.SIGINT, signal.SIGHUP)


@dataclass(frozen=True)
class Stopped:
    """How a command ended that got a signal after `moment_s`.

    Its code, seconds until all of it was gone, whether it had printed its result, and what it said beside.
    """

    code: int
    moment_s: float
    gone_s: float
    had_finished: bool
    said: str


@contextlib.contextmanager
def heir() -> Iterator[None]:
    """Within, orphans below this process become its children."""
    prctl = ctypes.CDLL(None).prctl
    prctl(_PR_SET_CHILD_SUBREAPER, 1)
    try:
        yield
    finally:
        prctl(_PR_SET_CHILD_SUBREAPER, 0)


def tonegap(words: Sequence[object]) -> "subprocess.Popen[str]":
    """The command line in a process and session of its own."""
    argv = [sys.executable, "-m", "tonegap", *map(str, words)]
    return subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finished(words: Sequence[object]) -> tuple[str, float]:
    """What an undisturbed command printed, and its seconds from the moment it listens to signals."""
    process = tonegap(words)
    wait_for_handlers(process.pid)
    began = time.monotonic()
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    return out, time.monotonic() - began


def stopped(words: Sequence[object], number: int, moment_s: float) -> Stopped:
    """Starts a command, sends it the signal at that moment, and waits until nothing of it is left."""
    before = _alive()
    process = tonegap(words)
    wait_for_handlers(process.pid)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(moment_s)
    sent = time.monotonic()
    with contextlib.suppress(ProcessLookupError):
        if number in _OF_TERMINALS:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
    while process.poll() is None or _alive() - before:
        assert time.monotonic() - sent < 30, [
            psutil.Process(p).cmdline() for p in _alive() - before
        ]
        time.sleep(_POLL_S)
    gone = time.monotonic() - sent
    out, err = process.communicate(timeout=5)  # nobody holds the pipes
    return Stopped(process.returncode, moment_s, gone, bool(out), err)


def moments(name: str, seconds: float, n: int) -> list[float]:
    """`n` random moments of a command that takes so long, the same ones for the same name."""
    draw = random.Random(name)
    return [draw.uniform(0, seconds) for _ in range(n)]


def wait_for_handlers(pid: int) -> None:
    """Waits until a process answers TERM itself, or is gone."""
    with contextlib.suppress(OSError):
        while True:
            text = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
            caught = next(line for line in text.splitlines() if line.startswith("SigCgt:"))
            if int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1 or "State:\tZ" in text:
                return
            time.sleep(_POLL_S / 4)


def _alive() -> set[int]:
    """Processes below this one that have not ended; the dead ones are waited for if nobody else does."""
    found = set()
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):
            if process.status() != psutil.STATUS_ZOMBIE:
                found.add(process.pid)
    return found
