"""Watches one process tree to its end, its limits and its log; then says how it ended."""

import contextlib
import os
import resource
import signal
import subprocess
import time
from collections.abc import Iterator
from io import BufferedReader

from tonegap.engines.base import RunResult, RunSpec
from tonegap.engines.log import CHUNK, LogPump
from tonegap.engines.stage_limits import GRACE_S, POLL_S, Ending, StageWatch, judge, output_over
from tonegap.engines.tree import TreeUsage, processes, signal_all

_CLEAR_S = 1.0


def watch(process: "subprocess.Popen[bytes]", spec: RunSpec) -> RunResult:
    """Waits for the process, ends it at a limit, and returns how it ended."""
    watched = _Watch(process, spec)
    try:
        return watched.until_end()
    except BaseException:
        watched.stop(0)
        raise


class _Watch(StageWatch):
    def __init__(self, process: "subprocess.Popen[bytes]", spec: RunSpec) -> None:
        self._process = process
        self.spec = spec
        self.started = time.monotonic()
        self._tree = TreeUsage(process.pid)
        # A process inherits the peak of the one that forked it: up to there, its own says nothing.
        self._inherited_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        self._usage: tuple[int, float, float] | None = None  # wait status, cpu seconds, rss MiB
        self._pump = LogPump(_pieces(process), spec)

    def until_end(self) -> RunResult:
        stopped = self.stopped()
        self._pump.join(GRACE_S)
        seconds = time.monotonic() - self.started
        status, cpu, rss = self._usage or (0, 0.0, 0.0)
        # A stage may write more than its limit between two looks, or end because it did.
        stopped = stopped or self._output_over(None)
        code, words = os.waitstatus_to_exitcode(status), self._pump.last_line()
        cause, text = stopped or judge(code, self._tree.peak_mib, self.spec.limits, words)
        # A sandbox's first process answers for itself alone; samples of the tree know the rest.
        cpu = max(cpu, self._tree.cpu_seconds)
        peak = max(self._tree.peak_mib, rss if rss > self._inherited_mib else 0.0)
        return RunResult(cause, text, round(seconds, 3), round(cpu, 3), round(peak, 1))

    def ended(self) -> bool:
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

    def sample(self) -> Ending | None:
        limit = self.spec.limits.memory_mib
        held_mib = self._tree.sample(limit)
        if held_mib > limit:
            return "oom", f"used {held_mib:,.0f} MiB of memory; its limit is {limit}"
        return self._output_over(self._process.pid)

    def _output_over(self, pid: int | None) -> Ending | None:
        return output_over(self.spec, (self.spec.out_dir, self.spec.tmp_dir), pid)

    def stop(self, grace_s: float) -> None:
        # The first process is the sandbox, or `launch`: when it gets TERM, all in it is killed.
        tree = processes(self._process.pid)
        if grace_s:
            signal_all(tree[1:], signal.SIGTERM)
            self.ended_within(grace_s)
        signal_all(tree[:1], signal.SIGTERM)
        if not self.ended_within(_CLEAR_S):
            signal_all(processes(self._process.pid), signal.SIGKILL)
            while not self.ended():
                time.sleep(POLL_S)


def _pieces(process: "subprocess.Popen[bytes]") -> Iterator[tuple[bytes]]:
    stream = process.stdout
    if isinstance(stream, BufferedReader):
        with stream:
            while chunk := stream.read1(CHUNK):
                yield (chunk,)
