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
from collections.abc import Iterable
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO

import psutil

from tonegap.engines.base import Cause, RunResult, RunSpec

_POLL_S = 0.02
_SAMPLE_S = 0.25
_GRACE_S = 3.0
_CLEAR_S = 1.0
_MIB = 1 << 20
_LOG_LIMIT = 8 * _MIB
_LINE_LIMIT = 1 << 16
_TAIL = 1 << 13
_PROGRESS = re.compile(rb"^tonegap-progress (\d{1,9}) (\d{1,9})[ \r]*\n", re.MULTILINE)
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
        self._cpu_by_pid: dict[int, float] = {}
        self._usage: tuple[int, float, float] | None = None  # wait status, cpu seconds, rss MiB
        self._pump = _LogPump(process, spec)

    def until_end(self) -> RunResult:
        stopped = self._wait_or_stop()
        self._pump.join()
        seconds = time.monotonic() - self._started
        status, cpu, rss = self._usage or (0, 0.0, 0.0)
        # A stage may write more than its limit between two looks, or end because it did.
        stopped = stopped or self._output_over_limit()
        cause, text = stopped or self._judge(os.waitstatus_to_exitcode(status))
        # A sandbox's first process answers for itself alone; samples of the tree know the rest.
        cpu = max(cpu, sum(self._cpu_by_pid.values()))
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

    def _limit_reached(self, now: float, *, sample: bool) -> tuple[Cause, str] | None:
        limits = self._spec.limits
        if self._spec.cancelled.is_set():
            return "cancelled", "stopped because the run was cancelled"
        if now - self._started > limits.timeout_s:
            return "timeout", f"still running after its time limit of {limits.timeout_s} s"
        if not sample:
            return None
        own_mib = self._sample()
        if own_mib > limits.memory_mib:
            return "oom", f"used {own_mib:,.0f} MiB of memory; its limit is {limits.memory_mib}"
        return self._output_over_limit()

    def _output_over_limit(self) -> tuple[Cause, str] | None:
        limit = self._spec.limits.output_mib
        written = sum(_folder_mib(folder) for folder in (self._spec.out_dir, self._spec.tmp_dir))
        if written <= limit:
            return None
        return "bad-output", f"wrote {written:,.1f} MiB; its limit is {limit}"

    def _sample(self) -> float:
        """A look at the tree: its own memory now in MiB; peak and processor time are kept.

        Mapped files and shared pages are left out of it: the images that a stage maps are the page
        cache's, and workers that share them would count them again each.
        """
        memory = own = 0
        for process in _tree(self._process.pid):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied):
                found = process.memory_info()
                memory += found.rss
                own += found.rss - found.shared
                times = process.cpu_times()
                self._cpu_by_pid[process.pid] = times.user + times.system
        self._peak_mib = max(self._peak_mib, memory / _MIB)
        return own / _MIB

    def _stop(self, *, gently: bool) -> None:
        """Ends the whole tree: TERM and a grace first where that is due, then KILL."""
        # The first process is the sandbox, or `launch`: when it gets TERM, all in it is killed.
        tree = _tree(self._process.pid)
        if gently:
            _signal(tree[1:], signal.SIGTERM)
            self._ended_within(_GRACE_S)
        _signal(tree[:1], signal.SIGTERM)
        if not self._ended_within(_CLEAR_S):
            _signal(_tree(self._process.pid), signal.SIGKILL)
            while not self._ended():
                time.sleep(_POLL_S)

    def _ended_within(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while not self._ended() and time.monotonic() < deadline:
            time.sleep(_POLL_S)
        return self._ended()

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
        self._tail = b""
        self._room = _LOG_LIMIT
        self._thread = threading.Thread(target=self._copy, daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Waits until the log is written; a process that keeps the pipe open cannot hold it up."""
        self._thread.join(timeout=_GRACE_S)

    def last_line(self) -> str:
        """The last line with content, at most 300 characters, made printable."""
        lines = self._tail.decode("utf-8", "replace").split("\n")
        text = next((line.strip() for line in reversed(lines) if line.strip()), "")
        return "".join(c if c.isprintable() else "?" for c in text[-300:])

    def _copy(self) -> None:
        stream = self._process.stdout
        if not isinstance(stream, BufferedReader):
            return
        rest = b""
        with self._spec.log.open("wb") as log, stream:
            while chunk := stream.read1(_LINE_LIMIT):
                # Whole lines only, so that no progress line is cut in two.
                lines, newline, rest = (rest + chunk).rpartition(b"\n")
                self._take(lines + newline, log)
                if len(rest) > _LINE_LIMIT:
                    self._take(rest, log)
                    rest = b""
            self._take(rest, log)
            if self._room <= 0:
                _write(log, b"\n[log cut: 8 MiB kept; the last lines follow]\n" + self._tail)

    def _take(self, text: bytes, log: BinaryIO) -> None:
        for match in _PROGRESS.finditer(text):
            self._spec.on_progress(int(match[1]), int(match[2]))
        text = _PROGRESS.sub(b"", text)
        self._tail = (self._tail + text)[-_TAIL:]
        if self._room > 0:
            _write(log, text[: self._room])
            self._room -= len(text)


def _write(log: BinaryIO, text: bytes) -> None:
    # On a full disk the log ends early; a pipe that nobody reads would stop the stage instead.
    with contextlib.suppress(OSError):
        log.write(text)
        log.flush()


def _tree(pid: int) -> list[psutil.Process]:
    try:
        parent = psutil.Process(pid)
        return [parent, *parent.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _signal(processes: Iterable[psutil.Process], number: int) -> None:
    for process in processes:
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
