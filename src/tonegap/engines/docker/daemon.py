"""The container engine that answers, and what it says of itself.

The mistake it exists to prevent: a limit that was asked for, silently not in force, and recorded
as if it were.
"""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import docker
import requests
from docker.errors import DockerException

from tonegap.errors import EngineError

TIMEOUT_S = 60  # for one answer; a loaded engine takes seconds to make a container
BUILD_TIMEOUT_S = 1800  # a step of a build may install gigabytes in silence
# Everything docker-py lets through when no engine answers, or not as one does.
UNREACHABLE = (DockerException, requests.RequestException, OSError)
INSTEAD = "; or use --engine bwrap (the same images without a service) or --engine local"
_MIB = 1 << 20
# What an engine calls the means of a limit, in its answer to `info`.
MEANS = {
    "memory": "MemoryLimit",
    "swap": "SwapLimit",
    "processors": "CpuCfsQuota",
    "processes": "PidsLimit",
}


@dataclass(frozen=True, slots=True)
class Daemon:
    """An engine: its product and version, its machine, and which limits it can hold a container to.

    `tells_oom` is false where a container killed for memory is reported as merely killed. `devices` are those it
    knows by name (CDI); Podman has them and does not say.
    """

    product: str
    version: str
    n_cpus: int
    memory_mib: int
    rootless: bool
    seccomp: bool
    tells_oom: bool
    enforces: frozenset[str]
    devices: frozenset[str] = frozenset()

    @property
    def release(self) -> tuple[int, int]:
        """The first two numbers of its version; zeros for one that has none."""
        numbers = [int(one) for one in re.findall(r"\d+", self.version)[:2]]
        return (*numbers, 0, 0)[0], (*numbers, 0, 0)[1]

    @property
    def label(self) -> str:
        """As people read it: `Docker 20.10.24`."""
        return f"{self.product} {self.version}"


@contextmanager
def connected(timeout_s: int = TIMEOUT_S, instead: str = INSTEAD) -> Iterator[docker.DockerClient]:
    """A client of the engine that DOCKER_HOST names, else of Docker's own socket; closed afterwards.

    `instead`: what else may be done. Raises EngineError where none answers, or it is reached over SSH: its folders are
    another machine's.
    """
    where = os.environ.get("DOCKER_HOST", "Docker's own socket")
    if where.startswith("ssh://"):
        raise EngineError(
            f"DOCKER_HOST: found {where}, wanted an engine of this machine (unix://…), as stages share its folders; "
            "run tonegap on that machine"
        )
    try:
        client = docker.from_env(timeout=timeout_s)
    except UNREACHABLE as e:
        raise EngineError(
            f"no container engine answers at {where} ({_reason(e)}); start Docker or Podman's service, or set "
            f"DOCKER_HOST (unix://…){instead}"
        ) from None
    try:
        yield client
    finally:
        client.close()


def describe(client: docker.DockerClient) -> Daemon:
    """What the engine behind a client is. Raises EngineError where it does not answer."""
    try:
        version, info = client.version(), client.info()
    except UNREACHABLE as e:
        raise EngineError(f"the container engine does not answer: {_reason(e)}") from None
    return daemon_of(version, info)


def daemon_of(version: dict[str, Any], info: dict[str, Any]) -> Daemon:
    """The engine that these two answers describe."""
    names = {str(part.get("Name", "")) for part in version.get("Components") or ()}
    is_podman = any(name.startswith("Podman") for name in names)
    options = " ".join(info.get("SecurityOptions") or ())
    return Daemon(
        product="Podman" if is_podman else "Docker",
        version=str(version.get("Version", "")),
        n_cpus=int(info["NCPU"]),
        memory_mib=int(info["MemTotal"]) // _MIB,
        rootless="rootless" in options,
        seccomp="seccomp" in options,
        tells_oom=not is_podman,
        enforces=frozenset(name for name, key in MEANS.items() if info.get(key)),
        devices=frozenset(
            str(one["ID"])
            for one in info.get("DiscoveredDevices") or ()
            if one.get("Source") == "cdi" and one.get("ID")
        ),
    )


def _reason(error: BaseException) -> str:
    """What the system said at the bottom of errors that wrap each other, else their words."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, OSError) and inner.strerror:
            return inner.strerror
        wrapped = [argument for argument in inner.args if isinstance(argument, BaseException)]
        inner = wrapped[-1] if wrapped else inner.__cause__ or inner.__context__
    return " ".join(str(error).split())[-200:]
