"""Watches one container to its end, its limits and its log; then says how it ended.

The mistake it exists to prevent: an engine that went away, or a kill from outside, reported as the
method's own error; or a container that outlives the watch.
"""

import contextlib
import os
import signal
import time
from pathlib import Path
from typing import Any

import docker
from docker.errors import NotFound
from docker.models.containers import Container

from tonegap.engines.base import RunResult, RunSpec
from tonegap.engines.docker.attach import Attached
from tonegap.engines.docker.daemon import UNREACHABLE
from tonegap.engines.docker.gpu import NO_GPU_CODE, NO_GPU_TEXT
from tonegap.engines.log import LogPump
from tonegap.engines.stage_limits import GRACE_S, POLL_S, Ending, StageWatch, judge, output_over
from tonegap.engines.tree import TreeUsage

_AGAIN_S = 0.2
_DRAIN_S = 20.0
_AWAY_S = 4.0  # an engine that does not answer for so long is gone; a restart may be shorter
_END_S = 20.0
_OOM_FLAG_S = 0.5
_KILLED = 128 + signal.SIGKILL

State = dict[str, Any]


class EngineGone(Exception):
    """The engine stopped answering, or lost the container, while a stage ran."""


def run_to_end(client: docker.DockerClient, container: Container, spec: RunSpec) -> RunResult:
    """Starts a created container, ends it at a limit, and returns how it ended.

    Raises what docker-py raises where it cannot be started, EngineGone where the engine goes away.
    """
    output = Attached(client, str(container.id))
    pump = LogPump(output.pieces(), spec)
    try:
        container.start()
        return _Watch(container, spec, pump).until_end()
    finally:
        output.close()
        pump.join(GRACE_S)


class _Watch(StageWatch):
    slowest_s = 0.2

    def __init__(self, container: Container, spec: RunSpec, pump: LogPump) -> None:
        self._container = container
        self.spec = spec
        self._pump = pump
        self.started = time.monotonic()
        self._tree: TreeUsage | None = None
        self._pid: int | None = None

    def until_end(self) -> RunResult:
        try:
            stopped = self.stopped()
        except EngineGone:
            self._kill_here()
            raise
        seconds = time.monotonic() - self.started
        self._pump.join(_DRAIN_S)
        stopped = stopped or output_over(self.spec, (self.spec.out_dir,), None)
        cause, text = stopped or self._judge(self._final_state())
        cpu = peak = None
        if self._tree is not None:
            cpu, peak = round(self._tree.cpu_seconds, 3), round(self._tree.peak_mib, 1)
        return RunResult(cause, text, round(seconds, 3), cpu, peak)

    def ended(self) -> bool:
        return not self._state()["Running"]

    def sample(self) -> Ending | None:
        state: State = self._container.attrs["State"]
        if self._tree is None and _is_here(state["Pid"], str(self._container.id)):
            self._pid = state["Pid"]
            self._tree = TreeUsage(state["Pid"])
        if self._tree is not None:
            self._tree.sample(self.spec.limits.memory_mib)
        return output_over(self.spec, (self.spec.out_dir,), self._pid)

    def _state(self) -> State:
        """What the engine says of the container now. Raises EngineGone when it has said nothing for long."""
        deadline = time.monotonic() + _AWAY_S
        while True:
            try:
                self._container.reload()
            except NotFound:
                raise EngineGone("its container is gone: somebody removed it") from None
            except UNREACHABLE as e:
                if time.monotonic() > deadline:
                    raise EngineGone(f"the container engine stopped answering ({e})") from None
                time.sleep(_AGAIN_S)
            else:
                state: State = self._container.attrs["State"]
                return state

    def stop(self, grace_s: float) -> None:
        """Raises EngineGone where it does not end."""
        if grace_s:
            self._kill("SIGTERM")
            if self.ended_within(grace_s):
                return
        self._kill("SIGKILL")
        if not self.ended_within(_END_S):
            raise EngineGone(f"its container {self._container.short_id} cannot be ended")

    def _kill(self, name: str) -> None:
        try:
            self._container.kill(signal=name)
        except UNREACHABLE:
            return  # ended meanwhile, or the engine is gone: the next look at its state tells

    def _kill_here(self) -> None:
        """Ends all that is in the container, where its engine no longer can."""
        for process in Path("/proc").glob("[0-9]*"):
            if _is_here(int(process.name), str(self._container.id)):
                with contextlib.suppress(OSError):
                    os.kill(int(process.name), signal.SIGKILL)

    def _final_state(self) -> State:
        """The state after the end; the flag of a memory kill may come a moment after the exit code."""
        state = self._state()
        deadline = time.monotonic() + _OOM_FLAG_S
        while state["ExitCode"] == _KILLED and not state["OOMKilled"]:
            if time.monotonic() > deadline:
                break
            time.sleep(POLL_S)
            state = self._state()
        return state

    def _judge(self, state: State) -> Ending:
        code = state["ExitCode"]
        if code == NO_GPU_CODE and self.spec.gpus:
            return "engine-error", NO_GPU_TEXT
        limits, words = self.spec.limits, self._pump.last_line()
        if code != 0 and state["OOMKilled"]:
            how = f"exit code {code}" + (f"; last line of its log: {words}" if words else "")
            return "oom", f"out of memory at its limit of {limits.memory_mib} MiB ({how})"
        peak = None if self._tree is None else self._tree.peak_mib
        return judge(code, peak, limits, words)


def _is_here(pid: int, container_id: str) -> bool:
    """Whether a process number from the engine is that container's on this machine too."""
    try:
        return container_id in Path(f"/proc/{pid}/cgroup").read_text(encoding="ascii")
    except OSError:
        return False
