"""The `docker` engine: create, start, watch, remove; on Docker's socket or Podman's.

A container is labelled with the work folder it serves. That folder is locked while its process
lives, so what a dead process left running is known and ended before the next run's first stage.
"""

import functools
from collections.abc import Callable, Collection
from dataclasses import replace
from pathlib import Path

import docker
from docker.errors import APIError, NotFound
from docker.models.containers import Container

from tonegap.declared.plugin import Plugin
from tonegap.declared.suite import Limits
from tonegap.engines.base import Engine, Environment, RunResult, RunSpec
from tonegap.engines.docker.container import (
    OPEN_FILES,
    PROCESSES,
    STORE_LABEL,
    WORK_LABEL,
    Placement,
    check_image,
    create,
    scratch_mib,
)
from tonegap.engines.docker.container_output import check_sees
from tonegap.engines.docker.daemon import (
    BUILD_TIMEOUT_S,
    UNREACHABLE,
    Daemon,
    connected,
    describe,
)
from tonegap.engines.docker.folders import lend, stage_user, take_back
from tonegap.engines.docker.gpu import known_gpus
from tonegap.engines.docker.watch import EngineGone, run_to_end
from tonegap.engines.images.resolve import StageImage
from tonegap.errors import BadOutput, EngineError
from tonegap.files import digest_of
from tonegap.formats.record import Isolation
from tonegap.store.layout import MARKER, WORK
from tonegap.store.store import is_dead

_FILES = "the image and /in read-only, /out, a /tmp in memory; nothing else of the host"


class DockerEngine(Engine):
    """Runs stages in containers; one object serves many threads."""

    name = "docker"
    ending_s = 10.0  # a container does not die with this process: it has to be ended and removed

    def __init__(
        self,
        image_of: Callable[[Plugin], StageImage],
        bring: Callable[[docker.DockerClient, Plugin], None] = lambda _client, _plugin: None,
    ) -> None:
        """`image_of` gives a plug-in's image, or raises EngineError; no engine is asked yet.

        `bring` has it on the engine before a run's first stage, or raises EngineError.
        """
        self._image_of = image_of
        self._bring = bring
        self._planned: dict[str, StageImage] = {}
        self._store = ""

    @functools.cached_property
    def _daemon(self) -> Daemon:
        with connected() as client:
            return describe(client)

    def open(self, store: Path, plugins: Collection[Plugin]) -> None:
        """Ends what dead processes left running for this store, brings missing images, and reads a word back
        from the store through the first of them; see Engine.
        """
        made = (store / MARKER).stat().st_mtime_ns
        # One store among all that an engine may serve, those of other machines included.
        self._store = digest_of([str(store.resolve()), made])[:16]
        with connected(BUILD_TIMEOUT_S) as client:
            try:
                _sweep(client, store, self._store)
            except UNREACHABLE as e:
                raise EngineError(
                    f"the container engine cannot clear old containers: {e}"
                ) from None
            for plugin in plugins:
                self._bring(client, plugin)
            if plugins:
                image = self._image(next(iter(plugins)))
                user = stage_user(self._daemon.rootless).spelled
                check_sees(client, image.id, store, image.bound, user)

    def gpus(self) -> tuple[str, ...]:
        """As Engine says; those that the container engine knows."""
        return known_gpus(self._daemon)

    def environment(self, plugin: Plugin) -> Environment:
        """Digest over the content of the plug-in's image and of the packages bound to it."""
        if not plugin.file.stages:
            return Environment(digest_of({}), {})
        return self._image(plugin).environment

    def _image(self, plugin: Plugin) -> StageImage:
        """The plug-in's image, the same for as long as this object lives: a plan and its run agree."""
        if plugin.label not in self._planned:
            try:
                self._planned[plugin.label] = self._image_of(plugin)
            except EngineError:
                with (
                    connected()
                ):  # where no engine answers, that comes first: images would be of no use
                    raise
        return self._planned[plugin.label]

    def isolation(self, limits: Limits) -> Isolation:
        """The sandbox and limits of every stage here, and which of them this engine holds."""
        daemon = self._daemon
        seccomp = "filtered by the engine's profile" if daemon.seccomp else "not filtered"
        return Isolation(
            engine=self.name,
            version=daemon.label,
            contained=True,
            network="none",
            files=_FILES,
            limits={
                "time": f"{limits.timeout_s} s, enforced",
                "memory": _memory(daemon, limits.memory_mib),
                "swap": _held(daemon, "swap", "none"),
                "processors": _held(daemon, "processors", f"one a thread, of {daemon.n_cpus}"),
                "processes": _held(
                    daemon, "processes", f"{PROCESSES}, for each GPU of a stage with several"
                ),
                "open files": f"{OPEN_FILES}, enforced",
                "temporary files": f"{scratch_mib(limits.memory_mib)} MiB of memory, enforced",
                "output": f"{limits.output_mib} MiB, watched",
                "user": stage_user(daemon.rootless).spelled,
                "capabilities": "none",
                "system calls": seccomp,
            },
        )

    def run(self, spec: RunSpec) -> RunResult:
        """Runs one stage; see Engine."""
        try:
            with connected() as client:
                return self._run(client, spec)
        except BadOutput as e:
            return RunResult.not_run(str(e), "bad-output")
        except (EngineError, EngineGone) as e:
            return RunResult.not_run(str(e))
        except APIError as e:
            return RunResult.not_run(f"the container engine refused: {e.explanation}")
        except UNREACHABLE as e:
            return RunResult.not_run(f"the container engine does not answer: {e}")

    def _run(self, client: docker.DockerClient, spec: RunSpec) -> RunResult:
        image = self._image(spec.plugin)
        check_image(client, image)
        place = Placement(self._daemon, stage_user(self._daemon.rootless), self._store)
        lend(spec.in_dir, spec.out_dir, place.user)
        container = create(client, spec, image, place)
        try:
            result = run_to_end(client, container, spec)
        finally:
            _remove(container)
        if result.cause == "ok":
            take_back(spec.out_dir)
        if result.cause == "killed" and not self._daemon.tells_oom:
            more = f"; {self._daemon.label} does not say whether it lacked memory"
            return replace(result, text=result.text + more)
        return result


def _sweep(client: docker.DockerClient, store: Path, identity: str) -> None:
    """Removes the containers of a store whose work folder is gone or belongs to nobody alive."""
    for found in client.api.containers(all=True, filters={"label": f"{STORE_LABEL}={identity}"}):
        work = store / WORK / found["Labels"][WORK_LABEL]
        if not work.exists() or is_dead(work):
            _remove(client.containers.get(found["Id"]))


def _remove(container: Container) -> None:
    """Removes a container and what it kept. Where the engine is gone, the next run's sweep does."""
    try:
        container.remove(force=True, v=True)
    except NotFound:
        return
    except UNREACHABLE:
        return


def _held(daemon: Daemon, name: str, text: str) -> str:
    return f"{text}, enforced" if name in daemon.enforces else f"{text} asked for, not enforced"


def _memory(daemon: Daemon, asked_mib: int) -> str:
    in_force = min(asked_mib, daemon.memory_mib)
    more = "" if in_force == asked_mib else f"; {asked_mib} MiB asked for, the machine has less"
    return _held(daemon, "memory", f"{in_force} MiB") + more
