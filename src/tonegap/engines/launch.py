"""Runs a command with limits on it, then becomes it: `python -I -S launch.py LIMITS -- COMMAND…`.

A file of its own, started by the local engine: limits set between fork and exec of a threaded program are not safe,
in a fresh single-threaded process they are. Uses the standard library alone.
"""

import ctypes
import os
import resource
import signal
import sys

_PR_SET_PDEATHSIG = 1


def _limit(kind: int, value: int) -> None:
    """Lowers a limit; never above the hard one that is already there."""
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    resource.setrlimit(kind, (value, value))


def main() -> None:
    """Sets the limits named in argv[1] (`parent=PID,fsize=BYTES,nofile=N`), then execs the rest."""
    wanted = dict(item.split("=") for item in sys.argv[1].split(","))
    command = sys.argv[3:]
    # A runner killed with -9 must not leave stages behind.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(wanted["parent"]):
        sys.exit(1)  # it died before the line above took effect
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_FSIZE, int(wanted["fsize"]))
    _limit(resource.RLIMIT_NOFILE, int(wanted["nofile"]))
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
