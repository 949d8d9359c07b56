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
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import TypeVar

_PR_SET_PDEATHSIG = 1
# What a terminal sends to all of its processes: the one that it meant answers for its workers.
_OF_TERMINALS = (signal.SIGINT, getattr(signal, "SIGHUP", signal.SIGINT))
_ANSWERED = (*_OF_TERMINALS, signal.SIGTERM)

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
    with _signals_held():  # starts the tracker of semaphores, which unblocks some of them
        pool = ProcessPoolExecutor(workers, context, initializer=_tie, initargs=(os.getpid(),))
    others = set(multiprocessing.active_children())
    try:
        with _signals_held():
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
def _signals_held() -> Iterator[None]:
    """What is started within is deaf to the terminal's signals: a worker ignores them once it has started.

    This process answers its own when all has started: a worker that was handed half of its orders prints a traceback.
    A blocked signal is not enough for that, as another thread takes it and Python answers in the main one.
    """
    came: list[int] = []
    handlers: dict[int, object] = {}
    masks = hasattr(signal, "pthread_sigmask")  # not on Windows
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _OF_TERMINALS) if masks else set()
    if threading.current_thread() is threading.main_thread():
        taken = [n for n in _ANSWERED if callable(signal.getsignal(n))]
        handlers = {n: signal.signal(n, lambda number, _frame: came.append(number)) for n in taken}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        if masks:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        for number in came[:1]:
            signal.raise_signal(number)
