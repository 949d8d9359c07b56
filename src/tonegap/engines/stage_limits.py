"""Watches the limits of a stage, the same under every engine, and reads from an exit code why it ended.

The mistake it exists to prevent: a stage that ran out of memory or time reported as the method's
own error.
"""

import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from tonegap.declared.suite import Limits
from tonegap.engines.base import RunSpec
from tonegap.engines.tree import deleted_bytes
from tonegap.errors import BadOutput
from tonegap.formats.stage_job import Cause
from tonegap.untrusted import is_plain_folder, written_bytes

Ending = tuple[Cause, str]

GRACE_S = 3.0  # between TERM and KILL
_HURRIED_S = 0.8  # the same where somebody waits for the run to stop
REPLACED = "/out or TMPDIR was removed or replaced by something else; both must stay folders"
POLL_S = 0.02
_SAMPLE_S = 0.25
_MIB = 1 << 20
_NEAR = 0.9
_SHELL_SIGNAL = 128  # an exit code above it is a signal, as shells and containers write it
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGBUS, signal.SIGFPE)


class StageWatch(Protocol):
    """The watch over one stage at work. `slowest_s`: seconds between two looks at the most."""

    slowest_s: float = POLL_S
    spec: RunSpec
    started: float

    def ended(self) -> bool:
        """Whether the stage has ended."""

    def sample(self) -> Ending | None:
        """Measures its memory and output: why it has to end, or None."""

    def stop(self, grace_s: float) -> None:
        """Ends all of it: TERM and a grace first where that is due, then KILL."""

    def stopped(self) -> Ending | None:
        """Waits for the end: why the stage had to be stopped, or None if it ended by itself."""
        sample_at, poll_s = 0.0, POLL_S
        while not self.ended():
            now = time.monotonic()
            reason = _time_over(self.spec, self.started)
            if reason is None and now >= sample_at:
                reason = self.sample()
                # A folder of very many files takes long to measure; that must not become all we do.
                sample_at = now + max(_SAMPLE_S, 10 * (time.monotonic() - now))
            if reason is not None:
                self.stop({"timeout": GRACE_S, "cancelled": _HURRIED_S}.get(reason[0], 0))
                return reason
            time.sleep(poll_s)
            poll_s = min(poll_s * 1.2, self.slowest_s)
        return None

    def ended_within(self, seconds: float) -> bool:
        """Whether the stage has ended, after waiting for that for some seconds at the most."""
        deadline = time.monotonic() + seconds
        while not self.ended() and time.monotonic() < deadline:
            time.sleep(POLL_S)
        return self.ended()


def _time_over(spec: RunSpec, started: float) -> Ending | None:
    if spec.cancelled.is_set():
        return "cancelled", "stopped because the run was cancelled"
    if time.monotonic() - started > spec.limits.timeout_s:
        return "timeout", f"still running after its time limit of {spec.limits.timeout_s} s"
    return None


def output_over(spec: RunSpec, folders: Sequence[Path], pid: int | None) -> Ending | None:
    """Why a stage wrote too much into its folders, or None; `pid` is that of its first process."""
    limit = spec.limits.output_mib
    if not all(map(is_plain_folder, folders)):
        return "bad-output", REPLACED
    try:
        written = sum(written_bytes(folder) for folder in folders)
    except BadOutput as e:
        return "bad-output", str(e)
    if pid is not None:
        written += deleted_bytes(pid, spec.out_dir.stat().st_dev)
    if written <= limit * _MIB:
        return None
    return "bad-output", f"wrote {written / _MIB:,.1f} MiB; its limit is {limit}"


def judge(code: int, peak_mib: float | None, limits: Limits, last_line: str) -> Ending:
    """What an exit code that nobody asked for means: negative, or above 128, is a signal."""
    if code == 0:
        return "ok", ""
    number = -code if code < 0 else code - _SHELL_SIGNAL
    if number == signal.SIGKILL and (peak_mib or 0.0) > _NEAR * limits.memory_mib:
        return "oom", f"killed near its memory limit of {limits.memory_mib} MiB"
    if number in {signal.SIGKILL, signal.SIGTERM}:
        return "killed", f"ended by {signal.Signals(number).name}, which tonegap did not send"
    how = f"exit code {code}"
    if number in _CRASHES:
        how = f"crashed with {signal.Signals(number).name}"
    if not last_line:
        return "method-error", f"{how}; its log is empty"
    return "method-error", f"{how}; last line of its log: {last_line}"
