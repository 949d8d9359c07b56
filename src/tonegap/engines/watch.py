"""Watches one process tree to its end: time, memory, output size, log, cancellation; then says how it ended.

The mistake it exists to prevent: a stage that ran out of memory or time reported as the method's own error.
"""

import contextlib
import os
import re
import signal
import subprocess
import threading
import time
from collections import deque
from pathlib import Path

import psutil

from tonegap.engines.base import Cause, RunResult, RunSpec

_POLL_S = 0.02
_SAMPLE_S = 0.25
_GRACE_S = 3.0
_MIB = 1 << 20
_LOG_LIMIT = 8 * _MIB
_LINE_LIMIT = 1 << 16
_PROGRESS = re.compile(rb"tonegap-progress (\d{1,9}) (\d{1,9})\s*")
_SHELL_SIGNAL = 128  # an exit code above it is a signal, as shells and bubblewrap write it


def watch(process: "subprocess.Popen[bytes]", spec: RunSpec) -> RunResult:
    """Waits for the process, ends it at a limit, and returns how it ended."""
    return _Watch(process, spec).until_end()


class _Watch:
    def __init__(self, process: "subprocess.Popen[bytes]", spec: RunSpec) -> None:
        self._process = process
        self._spec = spec
        self._started = time.monotonic()
        self._peak_mib = 0.0
        self._usage: tuple[int, float, float] | None = None  # wait status, cpu seconds, rss MiB
        self._pump = _LogPump(process, spec)

    def until_end(self) -> RunResult:
        stopped = self._wait_or_stop()
        self._pump.join()
        seconds = time.monotonic() - self._started
        status, cpu, rss = self._usage or (0, 0.0, 0.0)
        cause, text = stopped or self._judge(os.waitstatus_to_exitcode(status))
        peak = round(max(self._peak_mib, rss), 1)
        return RunResult(cause, text, round(seconds, 3), round(cpu, 3), peak)

    def _wait_or_stop(self) -> tuple[Cause, str] | None:
        """Returns why the process had to be stopped, or None if it ended by itself."""
        sample_at = 0.0
        while not self._ended():
            now = time.monotonic()
            reason = self._limit_reached(now, sample=now >= sample_at)
            if now >= sample_at:
                sample_at = now + _SAMPLE_S
            if reason is not None:
                self._stop(gently=reason[0] in {"timeout", "cancelled"})
                return reason
            time.sleep(_POLL_S)
        return None

    def _ended(self) -> bool:
        if self._usage is not None:
            return True
        pid, status, usage = os.wait4(self._process.pid, os.WNOHANG)
        if pid == 0:
            return False
        self._usage = (status, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)
        self._process.returncode = os.waitstatus_to_exitcode(status)
        return True

    def _limit_reached(self, now: float, *, sample: bool) -> tuple[Cause, str] | None:
        limits = self._spec.limits
        if self._spec.cancelled.is_set():
            return "cancelled", "stopped because the run was cancelled"
        if now - self._started > limits.timeout_s:
            return "timeout", f"still running after its time limit of {limits.timeout_s} s"
        if not sample:
            return None
        self._peak_mib = max(self._peak_mib, _tree_memory_mib(self._process.pid))
        if self._peak_mib > limits.memory_mib:
            return (
                "oom",
                f"used {self._peak_mib:,.0f} MiB of memory; its limit is {limits.memory_mib}",
            )
        written = _folder_mib(self._spec.out_dir)
        if written > limits.output_mib:
            return "bad-output", f"wrote {written:,.0f} MiB; its limit is {limits.output_mib}"
        return None

    def _stop(self, *, gently: bool) -> None:
        """Ends the whole tree: TERM and a grace first where that is due, then KILL."""
        if gently:
            _signal_tree(self._process.pid, signal.SIGTERM)
            deadline = time.monotonic() + _GRACE_S
            while not self._ended() and time.monotonic() < deadline:
                time.sleep(_POLL_S)
        _signal_tree(self._process.pid, signal.SIGKILL)
        while not self._ended():
            time.sleep(_POLL_S)

    def _judge(self, code: int) -> tuple[Cause, str]:
        if code == 0:
            return "ok", ""
        number = -code if code < 0 else code - _SHELL_SIGNAL
        if number in {signal.SIGKILL, signal.SIGTERM}:
            name = signal.Signals(number).name
            near = self._peak_mib > 0.9 * self._spec.limits.memory_mib
            if number == signal.SIGKILL and near:
                return "oom", f"killed near its memory limit of {self._spec.limits.memory_mib} MiB"
            return "killed", f"ended by {name}, which tonegap did not send"
        how = f"exit code {code}"
        if number in {signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGBUS, signal.SIGFPE}:
            how = f"crashed with {signal.Signals(number).name}"
        last = self._pump.last_line()
        return (
            "method-error",
            f"{how}; its last words: {last}" if last else f"{how}, without a word",
        )


class _LogPump:
    """Copies a stage's output into its log, bounded, and picks up progress lines."""

    def __init__(self, process: "subprocess.Popen[bytes]", spec: RunSpec) -> None:
        self._process = process
        self._spec = spec
        self._tail: deque[bytes] = deque(maxlen=20)
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Waits until the log is written; a grandchild that keeps the pipe open cannot hold it up."""
        self._thread.join(timeout=_GRACE_S)

    def last_line(self) -> str:
        """The last line with content, at most 300 characters, made printable."""
        for line in reversed(self._tail):
            text = line.decode("utf-8", "replace").strip()
            if text:
                return "".join(c if c.isprintable() else "?" for c in text[-300:])
        return ""

    def _copy(self) -> None:
        stream = self._process.stdout
        if stream is None:
            return
        written = 0
        with self._spec.log.open("wb") as log, stream:
            while line := stream.readline(_LINE_LIMIT):
                if match := _PROGRESS.fullmatch(line):
                    self._spec.on_progress(int(match[1]), int(match[2]))
                    continue
                self._tail.append(line)
                if written < _LOG_LIMIT:
                    log.write(line)
                    log.flush()
                    written += len(line)
            if written >= _LOG_LIMIT:
                log.write(b"\n[log cut: 8 MiB kept; the last lines follow]\n")
                log.writelines(self._tail)


def _tree(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _tree_memory_mib(pid: int) -> float:
    total = 0
    for process in _tree(pid):
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            total += process.memory_info().rss
    return total / _MIB


def _signal_tree(pid: int, number: int) -> None:
    """Signals the group and every descendant: one that left the group is a descendant still."""
    descendants = _tree(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)
    for process in descendants:
        with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            process.send_signal(number)


def _folder_mib(folder: Path) -> float:
    """Bytes in regular files below a folder, in MiB; what vanishes meanwhile counts nothing."""
    total = 0
    for parent, _folders, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).lstat().st_size
    return total / _MIB
