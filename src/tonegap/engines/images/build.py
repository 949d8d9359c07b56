"""Builds images in the order of their bases and writes what came out into the lock."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import docker
import msgspec

from tonegap.engines.docker.daemon import BUILD_TIMEOUT_S, connected
from tonegap.engines.images.archive import contents_of
from tonegap.engines.images.builder import Builder
from tonegap.engines.images.environment import bound_environment, own_site_packages
from tonegap.engines.images.recipe import (
    LOCAL_BASE,
    PLUGIN_BASE,
    cache_folder,
    image_names,
    locked_names,
    pinned_foundation,
    read_recipe,
)
from tonegap.engines.local import kit_requirements
from tonegap.errors import EngineError
from tonegap.formats.image_lock import BoundEnvironment, ImageLock, read_lock, write_lock

Say = Callable[[str], None]
_REFERENCE = re.compile(r"\S+@sha256:[0-9a-f]{64}|sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class BuildRequest:
    """What to build: names (none: all plug-ins), the foundation (`local`, `cuda`, a reference, or
    None for the lock's), a folder of packages to bind (only where the foundation is local), and
    whether to leave the engine's build cache aside.
    """

    names: tuple[str, ...] = ()
    base: str | None = None
    environment: Path | None = None
    no_cache: bool = False


def build_images(root: Path, request: BuildRequest, say: Say) -> ImageLock:
    """Builds the images asked for and the bases they stand on, and writes the lock.

    Raises EngineError for a name or base that there is not, or a build that fails; what was built
    until then is found again on the engine the next time.
    """
    before = read_lock(root)
    foundation = _foundation(root, request.base, before)
    names = build_order(root, request.names, foundation)
    environment = environment_for(root, foundation, request.environment, before)
    lock = before
    with connected(BUILD_TIMEOUT_S) as client:
        builder = Builder(root, client, foundation, environment)
        for name in names:
            lock = builder.bring(lock, name, request.no_cache, say)
        return _finish(root, client, before, lock, say)


def lock_from_engine(root: Path, environment: Path | None, say: Say) -> ImageLock:
    """The lock written anew from images that the engine has, found by tag and labels; builds nothing.

    They stand on what the old lock says, without one on the local base.
    """
    before = read_lock(root)
    foundation = before.foundation(PLUGIN_BASE) if PLUGIN_BASE in before.images else LOCAL_BASE
    bound = environment_for(root, foundation, environment, before)
    lock = ImageLock()
    with connected(BUILD_TIMEOUT_S) as client:
        builder = Builder(root, client, foundation, bound)
        for name in build_order(root, (), foundation):
            base = read_recipe(root, name, foundation).base
            if base in lock.images or base not in image_names(root):
                lock = builder.find(lock, name, say)
            else:
                say(f"{name}: its base {base} is not on this engine")
        return _finish(root, client, before, lock, say)


def _finish(
    root: Path, client: docker.DockerClient, before: ImageLock, lock: ImageLock, say: Say
) -> ImageLock:
    """Digests the content of what is new, says where a rebuild did not reproduce it, writes the lock."""
    new = [image for image in lock.images.values() if not image.content_sha256]
    contents = contents_of(client, [image.image_id for image in new])
    for image in new:
        image = msgspec.structs.replace(image, content_sha256=contents[image.image_id])
        lock = lock.with_image(image)
        old = before.images.get(image.name)
        if old and old.source_sha256 == image.source_sha256:
            same = old.content_sha256 == image.content_sha256
            say(
                f"{image.name}: {'the same' if same else 'OTHER'} content as before from the same sources"
            )
    write_lock(root, lock)
    return lock


def build_order(root: Path, names: Sequence[str], foundation: str) -> list[str]:
    """The images to build, bases first, each once; for no names all plug-ins' images."""
    known = image_names(root)
    order: list[str] = []

    def add(name: str) -> None:
        base = read_recipe(root, name, foundation).base
        if base in known:
            add(base)
        if name not in order:
            order.append(name)

    for name in names or [name for name in known if "/" in name]:
        add(name)
    return order


def _foundation(root: Path, base: str | None, lock: ImageLock) -> str:
    if base == "local":
        return LOCAL_BASE
    if base is None and PLUGIN_BASE in lock.images:
        return lock.foundation(PLUGIN_BASE)
    found = pinned_foundation(root) if base in {None, "cuda"} else str(base)
    if not _REFERENCE.fullmatch(found):
        raise EngineError(
            f"--base: found {found!r}, wanted local, cuda or a reference with a digest (NAME@sha256:…)"
        )
    return found


def environment_for(
    root: Path, foundation: str, folder: Path | None, lock: ImageLock
) -> BoundEnvironment | None:
    """What is bound into images on a foundation: the folder given, the lock's, or tonegap's own
    packages on the local base; nothing on a base that has torch. Raises EngineError.
    """
    if foundation == LOCAL_BASE:
        found = folder or _locked_folder(lock) or own_site_packages()
        return bound_environment(found, unlocked_needs(root), cache_folder(root))
    if folder is not None:
        raise EngineError(f"--environment: is bound on the local base only, not on {foundation}")
    return None


def unlocked_needs(root: Path) -> list[str]:
    """What the kit needs and no lock of its image has: torch, from the base or bound."""
    recipe = read_recipe(root, PLUGIN_BASE, LOCAL_BASE)
    locked = {name for path in recipe.locks for name in locked_names(path)}
    return [name for name in kit_requirements(root / "docker" / "kit") if name not in locked]


def _locked_folder(lock: ImageLock) -> Path | None:
    base = lock.images.get(PLUGIN_BASE)
    return Path(base.environment.host) if base and base.environment else None
