"""Runs a module as if this were no Linux: `python tests/support/other_system.py tonegap score …`, or `pytest …`.

What Windows lacks is taken away: modules, functions, signals, /proc. Its paths, texts and consoles are not imitated,
so this finds code that cannot start elsewhere, and is no proof that it works there.
"""

import contextlib
import importlib
import os
import pathlib
import runpy
import signal
import sys

# These know other systems by themselves, and would take what is left for a Linux.
_KNOW = ("asyncio", "multiprocessing.util", "subprocess", "psutil", "platformdirs", "pytest")
_MODULES = ("fcntl", "resource", "pwd", "grp", "termios", "tty", "pty", "syslog")
_OF_OS = (
    *("fork", "geteuid", "getegid", "getgid", "killpg", "getpgid", "setsid", "mkfifo"),
    *("sched_getaffinity", "sched_setaffinity", "posix_fadvise", "fchown", "statvfs", "sync"),
    *("O_NOFOLLOW", "O_CLOEXEC", "O_DIRECTORY"),
)
_OF_SIGNAL = (
    *("SIGHUP", "SIGKILL", "SIGQUIT", "SIGUSR1", "SIGUSR2", "SIGCHLD", "SIGALRM", "SIGBUS"),
    *("pthread_sigmask", "pthread_kill", "setitimer", "alarm", "sigwait"),
)


def take_away() -> None:
    """Takes away what only POSIX systems, or Linux, have."""
    for name in _KNOW:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    for name in _MODULES:
        sys.modules[name] = None  # type: ignore[assignment]
    for module, names in ((os, _OF_OS), (signal, _OF_SIGNAL)):
        for name in names:
            if hasattr(module, name):
                delattr(module, name)
    exists = pathlib.Path.exists
    pathlib.Path.exists = lambda self, **more: (  # type: ignore[method-assign]
        not self.as_posix().startswith("/proc") and exists(self, **more)
    )


if __name__ == "__main__":
    take_away()
    del sys.argv[0]
    sys.path.pop(0)
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
