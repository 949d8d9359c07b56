"""Engines that run a pinned image without a daemon: `bwrap` and `apptainer`, on the image's unpacked layers.

For machines of others, clusters above all: nothing is installed by root, stages run as the caller. An image is unpacked
once for each content, beside the layout, under a lock. The watch over limits is that of the local engine.
"""

import os
import shutil
import tarfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from tonegap.declared.plugin import Plugin
from tonegap.declared.suite import Limits
from tonegap.engines.base import Engine, Environment, RunResult, RunSpec
from tonegap.engines.images.layout import BASE_LABEL, Layout
from tonegap.engines.images.resolve import StageImage
from tonegap.engines.images.unpack import place_in, tree_stamp, unpack_layer
from tonegap.engines.local import launched, unseen_memory
from tonegap.engines.sandbox import (
    PACKAGE,
    apptainer_version,
    bubblewrap,
    sandbox_kind,
    shared_memory,
)
from tonegap.engines.variables import stage_variables
from tonegap.errors import EngineError
from tonegap.files import digest_of, take_lock
from tonegap.formats.image_lock import SITE
from tonegap.formats.record import Isolation
from tonegap.untrusted import DAMAGE, reason, remove_tree

_MOUNTED = ("in", "out", "tmp", "proc", "dev", "sys", SITE.lstrip("/"))


class UnpackedEngine(Engine):
    """Runs stages on the unpacked root of their image, by bubblewrap or Apptainer."""

    def __init__(
        self,
        name: str,
        image_of: Callable[[Plugin], StageImage],
        layout: Layout,
        here: bool = True,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """`name` is bwrap or apptainer. `image_of` gives a plug-in's image, or raises EngineError.

        `here`: stages run on this machine, not on nodes that have the program where this one has not. `say` is told
        what takes a while.
        """
        self.name = name
        self._image_of = image_of
        self._layout = layout
        self._here = here
        self._say = say

    def open(self, store: Path, plugins: Collection[Plugin]) -> None:
        """Unpacks the images that are missing; see Engine."""
        del store  # a stage dies with the process that started it: there is nothing to note
        if self._here:
            self._check_program()
        for plugin in plugins:
            self._root(self._image_of(plugin), look=True)

    def _check_program(self) -> None:
        """Raises EngineError where this machine has not what starts a stage."""
        if self.name == "bwrap" and sandbox_kind() != "bubblewrap":
            raise EngineError(
                "--engine bwrap: bubblewrap does not work here; install it, or take another engine"
            )
        if self.name == "apptainer" and shutil.which("apptainer") is None:
            raise EngineError(
                "--engine apptainer: it is not on this machine's PATH; install Apptainer or load its module, or take "
                "another engine"
            )

    def environment(self, plugin: Plugin) -> Environment:
        """As of the docker engine: the same image gives the same keys."""
        if not plugin.file.stages:
            return Environment(digest_of({}), {})
        try:
            return self._image_of(plugin).environment
        except EngineError:
            if self._here:
                self._check_program()  # the first thing to know, before anybody builds images for it
            raise

    def isolation(self, limits: Limits) -> Isolation:
        """What is in force; memory and output are watched, as in the local engine.

        Apptainer has no way to keep a stage from user namespaces, and brings the host's name servers.
        """
        boxed = self.name == "bwrap"
        unseen = unseen_memory("bubblewrap") if boxed else "; not seen: file systems that it mounts"
        host = (
            "nothing else of the host"
            if boxed
            else "of the host /etc/resolv.conf and the caller's name"
        )
        return Isolation(
            engine=self.name,
            version="" if boxed else apptainer_version(),
            contained=True,
            network="none",
            files=f"the image and /in read-only, /out, /tmp; {host}",
            limits={
                "time": f"{limits.timeout_s} s, enforced",
                "memory": f"{limits.memory_mib} MiB, watched{unseen}",
                "output": f"{limits.output_mib} MiB, watched",
                "user": "the caller",
            },
        )

    def run(self, spec: RunSpec) -> RunResult:
        """Runs one stage; see Engine."""
        try:
            self._check_program()
            image = self._image_of(spec.plugin)
            root, config = self._root(image), self._layout.config(image.id).get("config") or {}
            if spec.gpus and self.name == "bwrap":
                raise EngineError(
                    "--engine bwrap: brings no driver of a GPU into an image; take apptainer or docker"
                )
        except EngineError as e:
            return RunResult.not_run(str(e))
        own = {one.partition("=")[0]: one.partition("=")[2] for one in config.get("Env") or ()}
        env = own | stage_variables(spec.threads, "/tmp", ",".join(spec.gpus), spec.numerics)
        folder = config.get("WorkingDir") or "/plugin"
        binds = [
            (spec.in_dir, "/in", True),
            (spec.out_dir, "/out", False),
            (spec.tmp_dir, "/tmp", False),
        ]
        if image.bound is not None:
            binds.append((image.bound, SITE, True))
            if (
                image.bound / PACKAGE
            ).is_dir():  # it has the suite root in it, with labels of test images
                nothing = spec.tmp_dir / ".nothing"
                nothing.mkdir(exist_ok=True)
                binds.append((nothing, f"{SITE}/{PACKAGE}", True))
        command = [*spec.plugin.file.command, spec.stage, "--in", "/in", "--out", "/out"]
        if self.name == "bwrap":
            argv = bwrap_argv(root, binds, folder, spec.limits.memory_mib)
        else:
            argv = apptainer_argv(root, binds, folder, gpu=bool(spec.gpus))
            env = {f"APPTAINERENV_{name}": value for name, value in env.items() if name != "HOME"}
            env |= {
                name: os.environ[name] for name in ("PATH", "HOME", "USER") if name in os.environ
            }
        return launched([*argv, *command], spec, env, spec.tmp_dir, stay=self.name != "bwrap")

    def _root(self, image: StageImage, *, look: bool = False) -> Path:
        """The folder of an image's unpacked layers, made where it is missing or, if one is to `look`, was changed.

        Raises EngineError.
        """
        target = self._target(image.id)
        there = target.is_dir()
        if there and not (look and not _is_whole(target)):
            return target
        if why := self._layout.lack(image.id):
            raise EngineError(f"{image.name}: {why}; run `tonegap image build {image.name}`")
        changed = "its unpacked image is not what it was; " if there else ""
        self._say(
            f"{image.name}: {changed}unpacking its image, {self._layout.size(image.id) / 1e6:,.0f} MB"
        )
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            return self._unpacked(image.id)
        except EngineError as e:
            again = f"run `tonegap image build --no-cache {image.name}`"
            raise EngineError(f"{image.name}: {e}; {again}") from None
        except (*DAMAGE, tarfile.TarError) as e:
            raise EngineError(
                f"{image.name}: cannot be unpacked to {target}: {reason(e)}"
            ) from None

    def _target(self, image_id: str) -> Path:
        return self._layout.folder.parent / "roots" / image_id.removeprefix("sha256:")

    def _unpacked(self, image_id: str) -> Path:
        """An image's root; what its base has are links to the files of the base's root, so it costs its own layers."""
        target, layers = self._target(image_id), self._layout.diff_ids(image_id)
        with (target.parent / f".{target.name}.lock").open("w") as lock:
            take_lock(lock, wait=True)
            if target.is_dir() and _is_whole(target):
                return target
            remove_tree(target)
            if target.exists():
                raise OSError(f"{target} was changed and cannot be removed")
            part = target.with_name(f".{target.name}.part")
            remove_tree(part)
            below = self._base(image_id, layers)
            if below:
                shutil.copytree(self._unpacked(below), part, symlinks=True, copy_function=os.link)
                layers = layers[len(self._layout.diff_ids(below)) :]
            part.mkdir(exist_ok=True)
            for why in self._layout.damaged(layers).values():
                raise EngineError(why)
            for diff_id in layers:
                unpack_layer(self._layout.blob(diff_id), part)
            for name in _MOUNTED:
                place = place_in(part, name)
                if not place.is_symlink():
                    place.mkdir(parents=True, exist_ok=True)
            _stamp_of(target).write_text(tree_stamp(part))
            part.rename(target)
        return target

    def _base(self, image_id: str, layers: Sequence[str]) -> str:
        """The image that this one says it stands on, where it is here and has the lowest of its layers; else ""."""
        labels = (self._layout.config(image_id).get("config") or {}).get("Labels") or {}
        base = str(labels.get(BASE_LABEL, ""))
        if not base or base == image_id or not self._layout.has(base):
            return ""
        own = self._layout.diff_ids(base)
        return base if own and own == list(layers[: len(own)]) else ""


def _stamp_of(root: Path) -> Path:
    """What a root was when it was unpacked is kept beside it."""
    return root.with_name(f".{root.name}.stamp")


def _is_whole(root: Path) -> bool:
    """Whether a root is what it was when it was unpacked."""
    try:
        return _stamp_of(root).read_text() == tree_stamp(root)
    except (OSError, ValueError):  # no stamp, or another run is at it
        return False


def bwrap_argv(
    root: Path, binds: Collection[tuple[Path, str, bool]], folder: str, memory_mib: int
) -> list[str]:
    """The words before a stage's command that put it into an unpacked image, as a user of no rights, off the network.

    `binds`: a host folder, its place inside, whether it is read-only there.
    """
    argv = [*bubblewrap(), "--unshare-user", "--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]
    argv += ["--hostname", "stage", "--ro-bind", str(root), "/", "--proc", "/proc", "--dev", "/dev"]
    argv += shared_memory(memory_mib)
    for source, target, read_only in binds:
        argv += ["--ro-bind" if read_only else "--bind", str(source.resolve()), target]
    return [*argv, "--remount-ro", "/dev", "--chdir", folder, "--"]


def apptainer_argv(
    root: Path, binds: Collection[tuple[Path, str, bool]], folder: str, *, gpu: bool
) -> list[str]:
    """The same for Apptainer, which brings the driver of a GPU (`--nv`); variables come as APPTAINERENV_NAME.

    HOME is an option's alone to set. Of the host's files /etc/resolv.conf and the caller's line of passwd are there.
    """
    argv = ["apptainer", "--quiet", "exec", "--containall", "--cleanenv", "--no-privs", "--no-eval"]
    argv += ["--no-mount", "bind-paths,home,tmp", "--home", "/tmp", "--net", "--network", "none"]
    argv += ["--pwd", folder, *(["--nv"] if gpu else [])]
    for source, target, read_only in binds:
        argv += ["--bind", f"{source.resolve()}:{target}{':ro' if read_only else ''}"]
    return [*argv, str(root)]
