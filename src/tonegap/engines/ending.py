"""Why a stage ends: the limits that every engine watches, and what an exit code means.

The mistake it exists to prevent: a stage that ran out of memory or time reported as the method's
own error.
"""

import signal
import time
from collections.abc import Sequence
from pathlib import Path

from tonegap.declared.suite import Limits
from tonegap.engines.base import Cause, RunSpec
from tonegap.engines.tree import deleted_bytes
from tonegap.errors import BadOutput
from tonegap.untrusted import is_plain_folder, written_bytes

Ending = tuple[Cause, str]

GRACE_S = 3.0  # between TERM and KILL
HURRIED_S = 0.8  # the same where somebody waits for the run to stop
REPLACED = "/out or TMPDIR was removed or replaced by something else; both must stay folders"
_MIB = 1 << 20
_NEAR = 0.9
_SHELL_SIGNAL = 128  # an exit code above it is a signal, as shells and containers write it
_CRASHES = (signal.SIGSEGV, signal.SIGABRT, signal.SIGILL, signal.SIGBUS, signal.SIGFPE)


def time_over(spec: RunSpec, started: float) -> Ending | None:
    """Why a stage that started then has no time left, or None."""
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
