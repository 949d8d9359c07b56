"""Brings single images into the layout: written from their recipe, or left alone where current.

An engine is asked only where one is needed: for a base from a registry, and for a Dockerfile that runs
commands.
"""

import platform
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from string import Template
from typing import Any

import docker
import msgspec

from tonegap.engines.docker.daemon import BUILD_TIMEOUT_S, connected
from tonegap.engines.images.client import (
    build_image,
    find_image,
    load_image,
    need_image,
    pull_image,
    take_image,
)
from tonegap.engines.images.dockerfile import references
from tonegap.engines.images.image_contents import (
    ContainerPython,
    ImagePython,
    Inside,
    look_inside,
    root_python,
)
from tonegap.engines.images.layers import LayerWriter
from tonegap.engines.images.layout import BASE_LABEL, CREATED, KnownLayer, Layout, base_config
from tonegap.engines.images.recipe import (
    PLUGIN_BASE,
    WHEELS_BASE,
    ImageRecipe,
    Wheels,
    has_kit,
    is_image,
    locked_versions,
    read_recipe,
    source_sha256,
)
from tonegap.engines.images.tarring import write_files
from tonegap.engines.local import kit_requirements
from tonegap.errors import EngineError
from tonegap.files import canonical_json
from tonegap.formats.image_lock import BoundEnvironment, ImageLock, LockedImage

Say = Callable[[str], None]
_ID = 1000  # of the user that stages run as
_ROOT_MAKER = "root from packages"
_WHEELS = "wheels of "
_KEPT = ("architecture", "os", "variant", "config", "rootfs", "history")
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True, slots=True)
class Step:
    """One image to bring: its recipe and source digest, its base as it is, and what is bound into it.

    `base` is the lock's entry of the base, None for a reference or for no base.
    """

    recipe: ImageRecipe
    source_sha256: str
    base: LockedImage | None
    base_id: str
    environment: BoundEnvironment | None

    @property
    def labels(self) -> dict[str, str]:
        """What tells the image anywhere: its name, sources and base."""
        return {
            "tonegap.image": self.recipe.name,
            "tonegap.source": self.source_sha256,
            BASE_LABEL: self.base_id,
        }


class Builder:
    """Brings images into a layout, one at a time; to be used as a context."""

    def __init__(
        self,
        root: Path,
        layout: Layout,
        foundation: str,
        environment: BoundEnvironment | None,
        pull: bool,
    ) -> None:
        """`environment` is bound into every image that has the kit; `pull`: a base may be fetched."""
        self._root = root
        self._layout = layout
        self._foundation = foundation
        self._environment = environment
        self._pull = pull
        self._open = ExitStack()
        self._pythons: dict[str, ImagePython] = {}

    def __enter__(self) -> "Builder":
        return self

    def __exit__(self, *_: object) -> None:
        self._open.close()

    @cached_property
    def _client(self) -> docker.DockerClient:
        return self._open.enter_context(
            connected(BUILD_TIMEOUT_S, "; --base wheels and --base local need none")
        )

    def bring(self, lock: ImageLock, name: str, no_cache: bool, say: Say) -> ImageLock:
        """The lock with that image current, built if it was not; its base must be current."""
        step = self._step(lock, name)
        old = lock.images.get(name)
        same = old and (old.source_sha256, old.base_id) == (step.source_sha256, step.base_id)
        if old and same and not no_cache:
            if not (lack := self._layout.lack(old.image_id)):
                say(f"{name}: current, {short(old.image_id)}")
                return lock.with_image(self._rebound(old, step))
            say(f"{name}: {lack}; written anew")
        began = time.monotonic()
        found = "" if no_cache else self._layout.found(step.labels)
        if not found:
            say(f"{name}: building")
        image_id = found or self._make(step, no_cache, lambda said: say(f"{name}: {said}"))
        image = self._describe(step, image_id)
        verb = "found" if found else f"built in {time.monotonic() - began:.1f} s"
        say(f"{name}: {verb}, {short(image.image_id)}, {image.size_bytes / 1e6:,.0f} MB")
        return lock.with_image(image)

    def _step(self, lock: ImageLock, name: str) -> Step:
        recipe = read_recipe(self._root, name, self._foundation)
        base = lock.images.get(recipe.base)
        base_id = base.image_id if base else ""
        if recipe.base and base is None:
            base_id = self._reference_id(recipe.base)
        return Step(
            recipe=recipe,
            source_sha256=source_sha256(self._root, recipe, self._foundation),
            base=base,
            base_id=base_id,
            environment=self._environment if has_kit(self._root, recipe) else None,
        )

    def _reference_id(self, reference: str) -> str:
        """The id of an image that others made, taken from the engine once; fetched only where that is asked for."""
        image_id = self._layout.id_of(reference)
        if image_id and self._layout.has(image_id):
            return image_id
        if self._pull and find_image(self._client, reference) is None:
            pull_image(self._client, reference)
        cure = (
            f"fetch it with --pull or `docker pull {reference}`, or build on --base wheels, "
            "which needs no registry"
        )
        image_id = str(need_image(self._client, reference, cure).id)
        take_image(self._client, self._layout, image_id, reference)
        return image_id

    def _rebound(self, old: LockedImage, step: Step) -> LockedImage:
        """The entry with the environment as it is now; proved inside where that is another."""
        if old.environment == step.environment:
            return old
        versions = {**old.versions, **self._inside(step, old.image_id).versions}
        return msgspec.structs.replace(old, environment=step.environment, versions=versions)

    def _describe(self, step: Step, image_id: str) -> LockedImage:
        """The lock's entry for an image that is in the layout."""
        inside = self._inside(step, image_id)
        config = self._layout.config(image_id)
        return LockedImage(
            name=step.recipe.name,
            base=step.recipe.base,
            source_sha256=step.source_sha256,
            base_id=step.base_id,
            image_id=image_id,
            content_sha256=self._layout.content_sha256(image_id),
            platform=f"{config['os']}/{config['architecture']}",
            size_bytes=self._layout.size(image_id),
            environment=step.environment,
            versions=dict(sorted(inside.versions.items())),
            debian={} if step.base and step.base.debian == inside.debian else inside.debian,
        )

    def _inside(self, step: Step, image_id: str) -> Inside:
        """What is inside: as the image itself says at the bottom, above that what its layers put there.

        Where the kit stands on packages that are not of a lock, those must import.
        """
        recipe, versions, debian = step.recipe, {}, {}
        if step.base is None:
            bottom = image_id if not recipe.base else step.base_id
            seen = look_inside(self._python(bottom), None, (), ())
            versions, debian = seen.versions, seen.debian
        else:
            versions, debian = step.base.versions, step.base.debian
        versions = {**versions, **_packages(self._layout.config(image_id))}
        if recipe.name == PLUGIN_BASE and self._foundation != WHEELS_BASE:
            versions = {**versions, **self._proved(step, image_id)}
        return Inside(
            {**versions, **(step.environment.versions if step.environment else {})}, debian
        )

    def _proved(self, step: Step, image_id: str) -> dict[str, str]:
        """Versions of what the kit needs and no lock has, once it was imported inside: torch, bound or the base's."""
        own = {name for lock in step.recipe.locks for name in locked_versions(lock)}
        modules = [n for n in kit_requirements(self._root / "docker" / "kit") if n not in own]
        try:
            if is_image(self._root, self._foundation):
                with root_python(self._layout, self._layout.diff_ids(image_id)) as python:
                    return look_inside(python, step.environment, modules, modules).versions
            load_image(self._client, self._layout, image_id, image_tag(step), step.base_id)
            python_there = ContainerPython(self._client, image_id)
            return look_inside(python_there, None, modules, modules).versions
        except EngineError as e:
            raise EngineError(f"{step.recipe.name}: {e}") from None

    def _python(self, image_id: str) -> ImagePython:
        """The Python of an image: of the Debian root that it stands on, or in a container of it."""
        config = self._layout.config(image_id)
        bottom = config["rootfs"]["diff_ids"][0]
        if bottom not in self._pythons:
            if (config.get("history") or [{}])[0].get("created_by") == _ROOT_MAKER:
                made: ImagePython = self._open.enter_context(root_python(self._layout, [bottom]))
            else:
                made = ContainerPython(self._client, image_id)
            self._pythons[bottom] = made
        return self._pythons[bottom]

    def _make(self, step: Step, no_cache: bool, say: Say) -> str:
        """Writes an image; gives its id."""
        recipe = step.recipe
        if not recipe.base:
            return self._write_root(step, say)
        config = self._layout.config(step.base_id)
        if recipe.layers:
            python = self._python(step.base_id)
            writer = LayerWriter(self._layout, python, config["architecture"], say)
            for wanted in recipe.layers:
                if isinstance(wanted, Wheels):
                    _put(config, writer.wheels(wanted, no_cache), f"{_WHEELS}{wanted.lock.name}")
                else:
                    _put(config, [writer.files(wanted)], wanted.title)
            if recipe.user:
                account = self._account(step.base_id, recipe.user)
                _put(config, [writer.write(account)], f"user {_ID}")
        _set_running(config, recipe)
        if not recipe.dockerfile:
            return self._layout.put_image(recipe.name, _config(config, step.labels))
        if not recipe.layers:
            return self._run_dockerfile(step, step.base_id, no_cache, say)
        below = self._layout.put_image(f"{recipe.name}/wheels", _config(config, {}))
        return self._run_dockerfile(step, below, no_cache, say)

    def _write_root(self, step: Step, say: Say) -> str:
        """Makes a root from packages; gives the id of the image that it is."""
        machine = platform.machine()
        config = base_config(_MACHINES.get(machine, machine))
        with tempfile.TemporaryDirectory(dir=self._layout.folder, prefix=".part-root-") as folder:
            tar = Path(folder) / "root.tar"
            say("making a root file system from Debian's packages")
            _run_script(step.recipe.files["rootfs.sh"], tar)
            with tar.open("rb") as content, self._layout.incoming() as sink:
                shutil.copyfileobj(content, sink, 1 << 20)
        _put(config, [self._layout.layer(sink.digest)], _ROOT_MAKER)
        return self._layout.put_image(step.recipe.name, _config(config, step.labels))

    def _account(self, image_id: str, user: str) -> dict[str, Path | bytes]:
        """An image's lists of users and groups with user 1000 under that name, whoever had the number."""
        found: dict[str, Path | bytes] = {}
        for name, rest in (("etc/passwd", f"{_ID}::/tmp:/bin/sh"), ("etc/group", "")):
            text = self._read(image_id, name)
            lines = [line for line in text.splitlines() if line.split(":")[2:3] != [str(_ID)]]
            found[name] = "\n".join([*lines, f"{user}:x:{_ID}:{rest}", ""]).encode()
        return found

    def _read(self, image_id: str, name: str) -> str:
        """A file of an image, from the highest layer that has it; "" for none."""
        for diff_id in reversed(self._layout.diff_ids(image_id)):
            with tarfile.open(self._layout.blob(diff_id), "r:") as layer:
                for member in layer:
                    if member.isreg() and member.name.removeprefix("./") == name:
                        content = layer.extractfile(member)
                        return content.read().decode() if content else ""
        return ""

    def _run_dockerfile(self, step: Step, base_id: str, no_cache: bool, say: Say) -> str:
        """Has an engine run a Dockerfile on a base of the layout, and takes what came out."""
        recipe = step.recipe
        if find_image(self._client, base_id) is None:
            say("giving its base to the engine")
            below = (
                step.base_id if base_id != step.base_id else step.base.base_id if step.base else ""
            )
            load_image(self._client, self._layout, base_id, image_tag(step, "-base"), below)
        for reference in references(recipe.files["Dockerfile"].read_text(encoding="utf-8")):
            self._reference_id(reference)
        say("the engine runs its Dockerfile")
        with tempfile.TemporaryFile() as context:
            write_files(context, recipe.files)
            context.seek(0)
            tag, arguments = image_tag(step), {"BASE_IMAGE": base_id}
            image_id = build_image(self._client, context, tag, arguments, step.labels, no_cache)
        take_image(self._client, self._layout, image_id, recipe.name)
        return image_id


def _put(config: dict[str, Any], layers: list[KnownLayer], title: str) -> None:
    """Adds layers to a config."""
    for layer in layers:
        config["rootfs"]["diff_ids"].append(layer.diff_id)
        packages = ", ".join(f"{name} {version}" for name, version in layer.packages.items())
        said = {"created": CREATED, "created_by": title, "comment": packages}
        config["history"] = [
            *(config.get("history") or ()),
            {k: v for k, v in said.items() if v},
        ]


def _packages(config: dict[str, Any]) -> dict[str, str]:
    """Version by name of the packages that a config says its layers of wheels hold, higher layers last."""
    said = [
        one for one in config.get("history") or () if one.get("created_by", "").startswith(_WHEELS)
    ]
    pairs = [pair.split(" ") for one in said for pair in one.get("comment", "").split(", ")]
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _set_running(config: dict[str, Any], recipe: ImageRecipe) -> None:
    """Adds to a config what its recipe says about running; variables may name those of the base."""
    running = config["config"] = config.get("config") or {}
    env = {word.partition("=")[0]: word.partition("=")[2] for word in running.get("Env") or ()}
    for name, value in recipe.env.items():
        env[name] = Template(value).safe_substitute(env)
    running["Env"] = [f"{name}={value}" for name, value in env.items()]
    if recipe.user:
        running["User"] = f"{_ID}:{_ID}"
    if recipe.workdir:
        running["WorkingDir"] = recipe.workdir


def _config(config: dict[str, Any], labels: dict[str, str]) -> bytes:
    """A config's bytes, about no moment and no machine."""
    config["config"]["Labels"] = {**(config["config"].get("Labels") or {}), **labels}
    return canonical_json(
        {**{key: config[key] for key in _KEPT if key in config}, "created": CREATED}
    )


def _run_script(script: Path, tar: Path) -> None:
    """Runs a rootfs script. Raises EngineError with the last line of its log where it fails."""
    done = subprocess.run(
        ["sh", str(script), str(tar)], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        last = next(reversed(done.stderr.strip().splitlines()), "it said nothing")
        raise EngineError(f"{script}: ended with code {done.returncode}: {last}")


def image_tag(step: Step, more: str = "") -> str:
    """The tag of an image on an engine, for people and against pruning."""
    return tag_of(step.recipe.name, step.source_sha256) + more


def tag_of(name: str, source: str) -> str:
    """The tag of an image of these sources: `tonegap/baselines/erm:0123456789ab`."""
    return f"tonegap/{name}:{source[:12]}"


def short(image_id: str) -> str:
    """An image id as people read it: twelve digits."""
    return image_id.removeprefix("sha256:")[:12]
