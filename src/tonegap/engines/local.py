"""The `local` engine: a stage as a process group of its own, for machines without containers.

Same contract as a container, a weaker sandbox: the record says `contained: false` and what was in
force. Memory and output are watched, not fenced: a stage over its limit is killed within about a
quarter of a second.
"""

import functools
import importlib.metadata
import os
import platform
import shutil
import stat
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement

from tonegap.declared.plugin import Plugin, missing_program
from tonegap.declared.suite import Limits
from tonegap.engines.base import Engine, Environment, RunResult, RunSpec
from tonegap.engines.images.recipe import added_locks
from tonegap.engines.sandbox import (
    Mounts,
    SandboxKind,
    inside,
    mounts_nothing,
    sandbox_argv,
    sandbox_kind,
)
from tonegap.engines.variables import stage_variables
from tonegap.engines.watch import watch
from tonegap.errors import EngineError
from tonegap.files import digest_of, folder_digest
from tonegap.formats.record import Isolation

NOT_STARTED = "the stage cannot be started"
_OPEN_FILES = 4096
_MIB = 1 << 20


class LocalEngine(Engine):
    """Runs stages with the interpreter that runs tonegap (extra `local`)."""

    name = "local"

    def __init__(self, kit: Path) -> None:
        """`kit` is the folder that containers would have baked in (docker/kit)."""
        self._kit = kit

    def open(self, store: Path, plugins: Collection[Plugin]) -> None:
        """Raises EngineError for a plug-in whose program is not on this machine, before any stage has run."""
        del store  # a stage dies with the process that started it: there is nothing to note
        for plugin in plugins:
            program = missing_program(plugin)
            if program:
                raise EngineError(
                    f"{plugin.label}: command: {program!r} is no program on this machine's PATH; install it, "
                    "or run in containers with --engine docker"
                )

    def environment(self, plugin: Plugin) -> Environment:
        """Digest over the kit, the interpreter and the versions of what kit and plug-in require."""
        if not plugin.file.stages:
            return Environment(digest_of({}), {})
        wanted = dict.fromkeys(kit_requirements(self._kit), "local")
        for lock in added_locks(self._kit.parents[1], plugin):
            wanted = dict.fromkeys(requirements(lock), lock.stem) | wanted
        return _environment(self._kit, tuple(wanted.items()))

    def isolation(self, limits: Limits) -> Isolation:
        """What a plain process has here."""
        kind = sandbox_kind()
        return Isolation(
            engine=self.name,
            contained=False,
            network="host" if kind == "none" else "none",
            files="allow-list, read-only (bubblewrap)" if kind == "bubblewrap" else "host",
            limits={
                "time": f"{limits.timeout_s} s, enforced",
                "memory": f"{limits.memory_mib} MiB, watched{unseen_memory(kind)}",
                "output": f"{limits.output_mib} MiB, watched",
            },
        )

    def run(self, spec: RunSpec) -> RunResult:
        """Runs one stage; see Engine."""
        kind = sandbox_kind()
        mounts = Mounts(spec.in_dir, spec.out_dir, spec.tmp_dir, spec.plugin.folder, self._kit)
        seen = inside(kind, mounts)
        command = [
            sys.executable if word == "python" else word for word in spec.plugin.file.command
        ]
        sandbox = sandbox_argv(kind, mounts, spec.gpus, spec.limits.memory_mib)
        io = ("--in", str(seen.in_dir), "--out", str(seen.out_dir))
        boxed = kind == "bubblewrap"
        try:
            if not boxed:
                unlink_inputs(spec.in_dir)
        except OSError as e:
            return RunResult.not_run(f"{NOT_STARTED}: {e}")
        argv = [*sandbox, *command, spec.stage, *io]
        return launched(argv, spec, _variables(spec, seen), spec.plugin.folder, stay=not boxed)


def launched(
    argv: Sequence[str], spec: RunSpec, env: Mapping[str, str], folder: Path, *, stay: bool
) -> RunResult:
    """Runs a command in a folder with a stage's limits, in a process group of its own, and watches it to its end.

    `stay`: no sandbox ends what the stage leaves running, so `launch` does.
    """
    # A file may grow just over the limit on all output, so that the watch sees which limit it was.
    fsize = (spec.limits.output_mib + 1) * _MIB
    wanted = f"parent={os.getpid()},fsize={fsize},nofile={_OPEN_FILES},stay={int(stay)}"
    launch = (sys.executable, "-I", "-S", str(Path(__file__).with_name("launch.py")), wanted, "--")
    try:
        process = subprocess.Popen(
            [*launch, *argv], cwd=folder, env=env, start_new_session=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
    except OSError as e:
        return RunResult.not_run(f"{NOT_STARTED}: {e}")
    return watch(process, spec)


def unlink_inputs(in_dir: Path) -> None:
    """Replaces each hard link below `in_dir` by a copy of its file, on disk where that is free.

    A stage that no sandbox keeps from it could change its images in place, and by that the pack of every other entry.

    0.15 s for 300 MiB on a plain disk; nothing where the file system shares blocks between files (btrfs, xfs). Raises
    OSError where there is no room.
    """
    for path in sorted(in_dir.rglob("*")):
        status = path.lstat()
        if stat.S_ISREG(status.st_mode) and status.st_nlink > 1:
            copy = path.with_name(f".{path.name}.copy")
            _copy(path, copy)
            copy.chmod(stat.S_IMODE(status.st_mode))
            copy.replace(path)


def _copy(source: Path, target: Path) -> None:
    try:
        with source.open("rb") as given, target.open("wb") as made:
            while os.copy_file_range(given.fileno(), made.fileno(), 1 << 30):
                pass
    except OSError:
        shutil.copyfile(source, target)


def _variables(spec: RunSpec, seen: Mounts) -> dict[str, str]:
    """The whole environment of a stage: of the caller's own, where programs and libraries are."""
    variables = stage_variables(spec.threads, str(seen.tmp_dir), ",".join(spec.gpus), spec.numerics)
    variables["PATH"] = os.environ.get("PATH", os.defpath)
    variables["PYTHONPATH"] = str(seen.kit)
    if "LD_LIBRARY_PATH" in os.environ:
        variables["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return variables


@functools.cache
def _environment(kit: Path, wanted: tuple[tuple[str, str], ...]) -> Environment:
    """`wanted` are packages, each with the extra of tonegap that brings it."""
    versions = {"python": platform.python_version(), "machine": platform.machine()}
    for name, extra in wanted:
        try:
            versions[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            raise EngineError(
                f"the local engine runs stages with {sys.executable}, which has no {name}; "
                f"install tonegap with its extra {extra} (in a clone: pip install -e '.[{extra}]')"
            ) from None
    return Environment(digest_of({"kit": folder_digest(kit), "versions": versions}), versions)


def unseen_memory(kind: SandboxKind) -> str:
    """Which memory of a stage the watch cannot see, as words after "watched"."""
    if kind != "bubblewrap":
        return "; not seen: files left closed in /dev/shm"
    return "" if mounts_nothing() else "; not seen: file systems that it mounts"


def kit_requirements(kit: Path) -> list[str]:
    """Names of the packages that the kit's code imports, from its requirements.in."""
    return requirements(kit / "requirements.in")


def requirements(path: Path) -> list[str]:
    """Names of the packages in a list of requirements that hold here. Raises EngineError for any other line."""
    words = (line.split("#")[0].strip() for line in path.read_text(encoding="utf-8").splitlines())
    try:
        wanted = [Requirement(word) for word in words if word]
    except InvalidRequirement as e:
        raise EngineError(
            f"{path}: {str(e).splitlines()[0]}; wanted a requirement a line"
        ) from None
    return [one.name for one in wanted if one.marker is None or one.marker.evaluate()]
