"""Work spread over spawned processes that die with this one, however it dies.

The mistake it exists to prevent: workers that outlive a killed run, wait for work for ever, and keep the pipe open that
the run's own output went to.
"""

import contextlib
import ctypes
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

_PR_SET_PDEATHSIG = 1
# What a terminal sends to all of its processes: the one that it meant answers for its workers.
_OF_TERMINALS = (signal.SIGINT, signal.SIGHUP)

T = TypeVar("T")
R = TypeVar("R")


def map_in_processes(
    call: Callable[[T], R], items: Iterable[T], workers: int, per_task: int
) -> Iterator[R]:
    """The results of `call` in the order of `items`, worked out by processes.

    A process is handed `per_task` items at a time. Raises BrokenProcessPool where one is killed.
    """
    # Spawned, not forked: the caller may have threads, whose locks a fork would copy as held.
    context = multiprocessing.get_context("spawn")
    with (
        _terminal_signals_blocked()
    ):  # starts the tracker of semaphores, which unblocks some of them
        pool = ProcessPoolExecutor(workers, context, initializer=_tie, initargs=(os.getpid(),))
    others = set(multiprocessing.active_children())
    try:
        with _terminal_signals_blocked():
            results = pool.map(call, items, chunksize=per_task)
        yield from results
    except KeyboardInterrupt:
        for process in set(multiprocessing.active_children()) - others:
            process.kill()  # what they are at is done again: whoever pressed Ctrl-C should not wait for it
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _tie(parent: int) -> None:
    """Sees to it that this process is killed when the one that spawned it dies."""
    for number in _OF_TERMINALS:
        signal.signal(number, signal.SIG_IGN)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)  # it died before the line above took effect


@contextlib.contextmanager
def _terminal_signals_blocked() -> Iterator[None]:
    """What is started within is deaf to the terminal's signals: a worker ignores them once it has started."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_TERMINALS)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
