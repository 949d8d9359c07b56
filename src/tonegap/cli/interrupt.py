"""Ctrl-C, TERM and HUP: a command stops in good order, soon, and says how to go on.

What is finished is in its place and whole at any moment, and everything that a command starts dies with it. So a
command that is still there after a short while may simply be ended.
"""

import contextlib
import gc
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Literal, NoReturn

from tonegap.cli.terminal import note

INTERRUPTED = 130  # as a shell tells Ctrl-C
SAID = "stopped; what is finished is kept: run the same command again to go on"
_SIGNALS = (signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGINT))
_MOMENT_S = 0.02
_SAME_S = 0.2  # `timeout` and others send the same signal twice in a row
_SHOW_CURSOR = b"\x1b[?25h"


class _Patience:
    """Seconds from the signal to the end, whatever the command is at."""

    seconds = 0.5


@contextlib.contextmanager
def patient(seconds: float) -> Iterator[None]:
    """Within, a command gets so long to stop: it has to end what does not die with it, or may save something."""
    before, _Patience.seconds = _Patience.seconds, seconds
    try:
        yield
    finally:
        _Patience.seconds = before


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Within, the first signal raises KeyboardInterrupt in the main thread; a second ends the process.

    So does a watch, in a thread of its own, when the command has not stopped in time. Signals that the caller has this
    process ignore (`nohup`) stay ignored. Elsewhere than in the main thread, and on Windows, nothing changes.
    """
    is_main = threading.current_thread() is threading.main_thread()
    if not (is_main and hasattr(signal, "pthread_kill")):
        yield
        return
    # The system writes each signal's number into the pipe, also while the main thread is busy outside of Python.
    told, tell = os.pipe()
    os.set_blocking(tell, False)
    watch = threading.Thread(target=_watch, args=(told,), daemon=True)
    watch.start()
    handle = _Once()
    hook = sys.unraisablehook
    sys.unraisablehook = _raised_again(handle, hook)
    taken = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handle) for number in taken}
    wakeup = signal.set_wakeup_fd(tell, warn_on_full_buffer=False)
    try:
        yield
    finally:
        signal.set_wakeup_fd(wakeup)
        sys.unraisablehook = hook
        for number, handler in before.items():
            signal.signal(number, handler)
        os.close(tell)
        watch.join()
        os.close(told)


class _Once:
    """A handler that raises KeyboardInterrupt once: what is being cleared up then is not disturbed again."""

    def __init__(self) -> None:
        self.came: int | None = None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Raises the first time."""
        if self.came is None:
            self.came = number
            raise KeyboardInterrupt


def _raised_again(
    handle: _Once, otherwise: Callable[["sys.UnraisableHookArgs"], object]
) -> Callable[["sys.UnraisableHookArgs"], None]:
    """A hook for exceptions that Python drops: an interruption among them is raised once more, a moment later.

    Python prints and forgets what is raised in a finaliser or a weak reference's callback, and a signal may come in
    the middle of one.
    """

    def hook(dropped: "sys.UnraisableHookArgs") -> None:
        if dropped.exc_type is KeyboardInterrupt:
            number, handle.came = handle.came, None
            main = threading.main_thread().ident or 0
            # At once it would be dropped, too.
            threading.Timer(_MOMENT_S, signal.pthread_kill, (main, number or signal.SIGINT)).start()
        else:
            otherwise(dropped)

    return hook


def _watch(told: int) -> None:
    """Waits for a first signal, then ends the process at a second one, or when it takes too long."""
    if _next_signal(told, None) != "signal":
        return
    began = time.monotonic()
    while (left := began + _Patience.seconds - time.monotonic()) > 0:
        came = _next_signal(told, left)
        if came == "closed":
            return
        if came == "signal" and time.monotonic() - began > _SAME_S:
            break
    _end_now()


def _next_signal(told: int, seconds: float | None) -> Literal["signal", "closed", "late"]:
    """What came through the pipe first: a signal of ours, its end, or nothing in that time."""
    while select.select([told], [], [], seconds)[0]:
        number = os.read(told, 1)
        if not number:
            return "closed"
        if number[0] in _SIGNALS:
            return "signal"
    return "late"


def end() -> NoReturn:
    """Ends this process after an interruption: no thread that is at work is waited for.

    Not by SystemExit: Python itself ends by SIGINT where a KeyboardInterrupt once passed through an `exec` of text,
    though it was caught later.
    """
    gc.collect()  # semaphores that a pool of processes held are given back
    _end_now()


def _end_now() -> NoReturn:
    _say()
    os._exit(INTERRUPTED)


def _say() -> None:
    """Says how to go on, where somebody listens: the terminal may be gone, a pipe full."""
    with contextlib.suppress(OSError, ValueError):
        handle = sys.stderr.fileno()
        shown = _SHOW_CURSOR if sys.stderr.isatty() else b""
        if select.select([], [handle], [], 0)[1]:
            os.write(handle, shown + f"{note(SAID)}\n".encode())
