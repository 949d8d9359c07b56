"""Runs a command with limits on it: `python -I -S launch.py WANTED -- COMMAND…`.

A file of its own, started by the local engine: limits set between fork and exec of a threaded program are not safe,
in a fresh single-threaded process they are. Where no sandbox gathers what a stage leaves behind, two processes stay and
do: a stage that kills its parent leaves its daemons to the other. Uses the standard library alone.
"""

import contextlib
import ctypes
import os
import resource
import signal
import sys
import time

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_SHELL_SIGNAL = 128
# What ends the outer and the inner guard: TERM is sent to all that the outer one has started.
_END = (signal.SIGTERM, signal.SIGHUP)


def main() -> None:
    """Sets what argv[1] wants (`parent=PID,fsize=BYTES,nofile=N,stay=0|1`), then runs the rest."""
    pairs = (item.partition("=") for item in sys.argv[1].split(","))
    wanted = {name: int(value) for name, _, value in pairs}
    command = sys.argv[3:]
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, wanted["fsize"])
    _limit(resource.RLIMIT_NOFILE, wanted["nofile"])
    if wanted["stay"]:
        sys.exit(_guard(command, wanted["parent"], _END))
    _die_with(wanted["parent"], signal.SIGKILL)
    _become(command)


def _limit(kind: int, value: int) -> None:
    """Lowers a limit; never above the hard one that is already there."""
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def _die_with(parent: int, number: int) -> None:
    """Sees to it that this process gets the signal when its parent dies, however that dies."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)  # it died before the line above took effect


def _become(command: list[str]) -> None:
    try:
        os.execvp(command[0], command)
    except OSError as e:
        sys.stderr.write(f"{command[0]}: {e.strerror}\n")
        sys.stderr.flush()
        os._exit(127)


def _guard(command: list[str], parent: int, ends: tuple[int, ...]) -> int:
    """Exit code of the command, as a shell tells it; no process that it started is left.

    `ends` are the signals that end this guard and those within it, one each; a guard ignores the others.
    """
    # Orphans become children of this process, also those that left the session.
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
    for number in _END:
        signal.signal(number, _end_all if number == ends[0] else signal.SIG_IGN)
    _die_with(parent, ends[0])
    here = os.getpid()
    child = os.fork()
    if child == 0:
        if ends[1:]:
            os._exit(_guard(command, here, ends[1:]))
        for number in _END:
            signal.signal(number, signal.SIG_DFL)
        _die_with(here, signal.SIGKILL)
        _become(command)
    pid, status = 0, 0
    while pid != child:
        pid, status = os.wait()
    _kill_children()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else _SHELL_SIGNAL - code


def _end_all(number: int, _frame: object) -> None:
    _kill_children()
    os._exit(_SHELL_SIGNAL + number)


def _kill_children() -> None:
    """Kills generation after generation: the children of a killed child become this process's.

    Never waits for one that is alive: a chain of processes that each start the next and end is caught only by whoever
    looks again at once. What does not die within a second waits for a device, and is waited for at leisure.
    """
    began = time.monotonic()
    while True:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        if time.monotonic() - began > 1:
            time.sleep(0.01)


def _children() -> list[int]:
    """Pids of this process's children, dead ones not waited for included."""
    here = os.getpid()
    with contextlib.suppress(OSError):
        return [int(pid) for pid in _read(f"/proc/{here}/task/{here}/children").split()]
    names = os.listdir("/proc")  # noqa: PTH208
    return [int(name) for name in names if name.isdecimal() and _parent_of(name) == here]


def _parent_of(pid: str) -> int:
    with contextlib.suppress(OSError, ValueError):
        # After the name, which may hold anything: state, then the parent's id.
        return int(_read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[1])
    return 0


def _read(path: str) -> bytes:
    # Importing pathlib takes as long as starting Python, and a stage is started for each entry and seed.
    with open(path, "rb") as f:  # noqa: PTH123
        return f.read()


if __name__ == "__main__":
    main()
