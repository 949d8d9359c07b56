"""Watches one process tree to its end: time, memory, output size, log, cancellation; then says how it ended."""

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from io import BufferedReader

from tonegap.engines.base import RunResult, RunSpec
from tonegap.engines.ending import GRACE_S, HURRIED_S, Ending, judge, output_over, time_over
from tonegap.engines.log import CHUNK, LogPump
from tonegap.engines.tree import TreeUsage, processes, signal_all

_POLL_S = 0.02
_SAMPLE_S = 0.25
_CLEAR_S = 1.0


def watch(process: "subprocess.Popen[bytes]", spec: RunSpec) -> RunResult:
    """Waits for the process, ends it at a limit, and returns how it ended."""
    watched = _Watch(process, spec)
    try:
        return watched.until_end()
    except BaseException:
        watched.stop(0)
        raise


class _Watch:
    def __init__(self, process: "subprocess.Popen[bytes]", spec: RunSpec) -> None:
        self._process = process
        self._spec = spec
        self._started = time.monotonic()
        self._tree = TreeUsage(process.pid)
        # A process inherits the peak of the one that forked it: up to there, its own says nothing.
        self._inherited_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self._usage: tuple[int, float, float] | None = None  # wait status, cpu seconds, rss MiB
        self._pump = LogPump(_pieces(process), spec)

    def until_end(self) -> RunResult:
        stopped = self._wait_or_stop()
        self._pump.join(GRACE_S)
        seconds = time.monotonic() - self._started
        status, cpu, rss = self._usage or (0, 0.0, 0.0)
        # A stage may write more than its limit between two looks, or end because it did.
        stopped = stopped or self._output_over(None)
        code, words = os.waitstatus_to_exitcode(status), self._pump.last_line()
        cause, text = stopped or judge(code, self._tree.peak_mib, self._spec.limits, words)
        # A sandbox's first process answers for itself alone; samples of the tree know the rest.
        cpu = max(cpu, self._tree.cpu_seconds)
        peak = max(self._tree.peak_mib, rss if rss > self._inherited_mib else 0.0)
        return RunResult(cause, text, round(seconds, 3), round(cpu, 3), round(peak, 1))

    def _wait_or_stop(self) -> Ending | None:
        """Returns why the process had to be stopped, or None if it ended by itself."""
        sample_at = 0.0
        while not self._ended():
            now = time.monotonic()
            sample = now >= sample_at
            reason = self._limit_reached(sample=sample)
            if sample:
                # A folder of very many files takes long to measure; that must not become all we do.
                sample_at = now + max(_SAMPLE_S, 10 * (time.monotonic() - now))
            if reason is not None:
                self.stop({"timeout": GRACE_S, "cancelled": HURRIED_S}.get(reason[0], 0))
                return reason
            time.sleep(_POLL_S)
        return None

    def _ended(self) -> bool:
        if self._usage is not None:
            return True
        pid = self._process.pid
        if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return False
        # Not yet waited for, so its number still names this group and no other.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        _pid, status, usage = os.wait4(pid, 0)
        self._usage = (status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return True

    def _limit_reached(self, *, sample: bool) -> Ending | None:
        reason = time_over(self._spec, self._started)
        if reason is not None or not sample:
            return reason
        limit = self._spec.limits.memory_mib
        held_mib = self._tree.sample(limit)
        if held_mib > limit:
            return "oom", f"used {held_mib:,.0f} MiB of memory; its limit is {limit}"
        return self._output_over(self._process.pid)

    def _output_over(self, pid: int | None) -> Ending | None:
        return output_over(self._spec, (self._spec.out_dir, self._spec.tmp_dir), pid)

    def stop(self, grace_s: float) -> None:
        """Ends the whole tree: TERM and a grace first where that is due, then KILL."""
        # The first process is the sandbox, or `launch`: when it gets TERM, all in it is killed.
        tree = processes(self._process.pid)
        if grace_s:
            signal_all(tree[1:], signal.SIGTERM)
            self._ended_within(grace_s)
        signal_all(tree[:1], signal.SIGTERM)
        if not self._ended_within(_CLEAR_S):
            signal_all(processes(self._process.pid), signal.SIGKILL)
            while not self._ended():
                time.sleep(_POLL_S)

    def _ended_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self._ended() and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return self._ended()


def _pieces(process: "subprocess.Popen[bytes]") -> Iterator[tuple[bytes]]:
    stream = process.stdout
    if isinstance(stream, BufferedReader):
        with stream:
            while chunk := stream.read1(CHUNK):
                yield (chunk,)
