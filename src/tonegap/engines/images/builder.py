"""Brings single images onto an engine: built offline from their recipe, or left alone where current."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import docker
import msgspec

from tonegap.engines.images.archive import load_archive
from tonegap.engines.images.client import (
    Inside,
    build_image,
    find_image,
    image_platform,
    look_inside,
    need_image,
)
from tonegap.engines.images.context import write_context
from tonegap.engines.images.recipe import (
    ImageRecipe,
    cache_folder,
    locked_names,
    read_recipe,
    references,
    source_sha256,
    stands_on,
)
from tonegap.engines.images.rootfs import make_rootfs, write_image_archive
from tonegap.engines.images.wheels import wheelhouse
from tonegap.engines.local import kit_requirements
from tonegap.errors import EngineError
from tonegap.formats.image_lock import BoundEnvironment, ImageLock, LockedImage

Say = Callable[[str], None]
_NOT_PACKAGES = {"pip", "python", "machine"}


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
        """What tells the image on any engine: its name, sources and base."""
        return {
            "tonegap.image": self.recipe.name,
            "tonegap.source": self.source_sha256,
            "tonegap.base": self.base_id,
        }

    @property
    def tag(self) -> str:
        """A name on the engine, for people and against pruning."""
        return image_tag(self.recipe.name, self.source_sha256)


class Builder:
    """Brings images onto an engine, one at a time."""

    def __init__(
        self,
        root: Path,
        client: docker.DockerClient,
        foundation: str,
        environment: BoundEnvironment | None,
    ) -> None:
        """`environment` is bound into every image that stands on the foundation."""
        self._root = root
        self._client = client
        self._foundation = foundation
        self._environment = environment

    def bring(self, lock: ImageLock, name: str, no_cache: bool, say: Say) -> ImageLock:
        """The lock with that image current, built if it was not; its base must be current."""
        step = self._step(lock, name)
        old = lock.images.get(name)
        if old and not no_cache and self._is_current(old, step):
            say(f"{name}: current, {short(old.image_id)}")
            return lock.with_image(self._rebound(old, step))
        found = None if no_cache else self._found(step)
        if found is None:
            say(f"{name}: building")
        image = self._describe(step, found or self._make(step, no_cache))
        size = f"{image.size_bytes / 1e6:,.0f} MB"
        verb = "built" if found is None else "found on the engine"
        say(f"{name}: {verb}, {short(image.image_id)}, {size}")
        return lock.with_image(image)

    def find(self, lock: ImageLock, name: str, say: Say) -> ImageLock:
        """The lock with the engine's image of that name, if it has one of the sources as they are."""
        step = self._step(lock, name)
        found = self._found(step)
        if found is None:
            say(f"{name}: not on this engine; run `tonegap image build {name}`")
            return lock
        say(f"{name}: found on the engine, {short(found)}")
        return lock.with_image(self._describe(step, found))

    def _step(self, lock: ImageLock, name: str) -> Step:
        recipe = read_recipe(self._root, name, self._foundation)
        base = lock.images.get(recipe.base)
        base_id = base.image_id if base else ""
        if recipe.base and base is None:
            base_id = self._reference_id(recipe.base)
        bound = stands_on(self._root, recipe, self._foundation)
        return Step(
            recipe=recipe,
            source_sha256=source_sha256(self._root, recipe, self._foundation),
            base=base,
            base_id=base_id,
            environment=self._environment if bound else None,
        )

    def _reference_id(self, reference: str) -> str:
        cure = f"fetch it once with `docker pull {reference}`, or build on --base local"
        return str(need_image(self._client, reference, cure).id)

    def _is_current(self, old: LockedImage, step: Step) -> bool:
        same = (old.source_sha256, old.base_id) == (step.source_sha256, step.base_id)
        return same and find_image(self._client, old.image_id) is not None

    def _found(self, step: Step) -> str | None:
        """The engine's image of the step's tag, if it has the step's labels.

        Labels alone would not do: images made from this one, a build's stages among them, inherit them.
        """
        image = find_image(self._client, step.tag)
        if image is None or not step.labels.items() <= image.labels.items():
            return None
        return str(image.id)

    def _rebound(self, old: LockedImage, step: Step) -> LockedImage:
        """The entry with the environment as it is now; proved inside where that is another."""
        if old.environment == step.environment:
            return old
        versions = self._look(step, old.image_id).versions
        return msgspec.structs.replace(old, environment=step.environment, versions=versions)

    def _describe(self, step: Step, image_id: str) -> LockedImage:
        """The lock's entry for an image that is on the engine; its content is digested later."""
        image = need_image(self._client, image_id, "it was there a moment ago")
        inside = self._look(step, image_id)
        return LockedImage(
            name=step.recipe.name,
            base=step.recipe.base,
            source_sha256=step.source_sha256,
            base_id=step.base_id,
            image_id=image_id,
            content_sha256="",
            platform=image_platform(image),
            size_bytes=int(image.attrs["Size"]),
            environment=step.environment,
            versions=inside.versions,
            debian={} if step.base and step.base.debian == inside.debian else inside.debian,
        )

    def _look(self, step: Step, image_id: str) -> Inside:
        """What is inside: of the packages that the base's entry names, and of the image's own locks.

        Where the kit is put in, what it needs beside its lock must import: torch, of the base or bound.
        """
        recipe = step.recipe
        wanted = kit_requirements(self._root / "docker" / "kit") if recipe.has_kit else []
        own = {name for path in recipe.locks for name in locked_names(path)}
        before = step.base.versions if step.base else {}
        names = sorted({*own, *wanted, *before} - _NOT_PACKAGES)
        modules = [name for name in wanted if name not in own]
        try:
            return look_inside(self._client, image_id, step.environment, modules, names)
        except EngineError as e:
            raise EngineError(f"{recipe.name}: {e}") from None

    def _make(self, step: Step, no_cache: bool) -> str:
        return self._build(step, no_cache) if step.recipe.base else self._load_rootfs(step)

    def _build(self, step: Step, no_cache: bool) -> str:
        files = dict(step.recipe.files)
        if step.recipe.locks:
            files |= self._wheels(step)
        for reference in references(files["Dockerfile"].read_text(encoding="utf-8")):
            self._reference_id(reference)
        with tempfile.TemporaryFile() as context:
            write_context(files, context)
            context.seek(0)
            return build_image(
                self._client, context, step.tag, {"BASE_IMAGE": step.base_id}, step.labels, no_cache
            )

    def _wheels(self, step: Step) -> dict[str, Path]:
        """The wheels of the recipe's locks, by name in the context, for the Python of its base."""
        seen = step.base.versions if step.base else self._inside_reference(step.base_id)
        python = ".".join(seen["python"].split(".")[:2])
        cache = cache_folder(self._root)
        wheels = wheelhouse(step.recipe.locks, python, seen["machine"], cache)
        return {f"wheelhouse/{name}": path for name, path in wheels.items()}

    def _inside_reference(self, image_id: str) -> dict[str, str]:
        return look_inside(self._client, image_id, None, (), ()).versions

    def _load_rootfs(self, step: Step) -> str:
        """Makes the root from packages and loads it; gives the image's id."""
        with tempfile.TemporaryDirectory(prefix="tonegap-rootfs-") as folder:
            root, archive = Path(folder) / "rootfs.tar", Path(folder) / "image.tar"
            make_rootfs(step.recipe.files["rootfs.sh"], root)
            machine = self._client.version()["Arch"]
            image_id = write_image_archive(root, archive, step.labels, machine)
            load_archive(self._client, archive, image_id, step.tag)
        return image_id


def image_tag(name: str, source: str) -> str:
    """The tag of an image of these sources: `tonegap/baselines/erm:0123456789ab`."""
    return f"tonegap/{name}:{source[:12]}"


def short(image_id: str) -> str:
    """An image id as people read it: twelve digits."""
    return image_id.removeprefix("sha256:")[:12]
