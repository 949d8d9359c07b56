"""Builds images in the order of their bases and writes what came out into the lock."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tonegap.engines.images.builder import Builder
from tonegap.engines.images.environment import bound_environment, own_site_packages
from tonegap.engines.images.layout import open_layout
from tonegap.engines.images.recipe import (
    LOCAL_BASE,
    PLUGIN_BASE,
    WHEELS_BASE,
    cache_folder,
    foundation_of,
    image_names,
    locked_versions,
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
    """What to build: names (none: all plug-ins), the foundation (`wheels`, `local`, `cuda`, a reference,
    or None for the lock's, else `wheels`), a folder of packages to bind (only where the foundation is
    local), whether to write anew what is current, and whether a reference may be fetched.
    """

    names: tuple[str, ...] = ()
    base: str | None = None
    environment: Path | None = None
    no_cache: bool = False
    pull: bool = False


def build_images(root: Path, request: BuildRequest, say: Say) -> ImageLock:
    """Builds the images asked for and the bases they stand on, and writes the lock.

    Raises EngineError for a name or base that there is not, or a build that fails; what was built
    until then is found again the next time.
    """
    before = lock = read_lock(root)
    foundation = _foundation(root, request.base, before)
    names = build_order(root, request.names, foundation)
    environment = environment_for(root, foundation, request.environment, before)
    with (
        open_layout(cache_folder(root)) as layout,
        layout.reading(),
        Builder(root, layout, foundation, environment, request.pull) as builder,
    ):
        for name in names:
            lock = builder.bring(lock, name, request.no_cache, say)
            _say_whether_same(before, lock, name, say)
        write_lock(root, lock)
        if layout.index_damage:
            say(
                f"{layout.index_damage}; it was written anew, images that are not in it are built again when asked for"
            )
        layout.prune()
    return lock


def _say_whether_same(before: ImageLock, lock: ImageLock, name: str, say: Say) -> None:
    """Says whether a rebuild of the same sources reproduced their content."""
    old, new = before.images.get(name), lock.images[name]
    if old and old.source_sha256 == new.source_sha256 and old.image_id != new.image_id:
        same = "the same" if old.content_sha256 == new.content_sha256 else "OTHER"
        say(f"{name}: {same} content as before from the same sources")


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
    named = {"wheels": WHEELS_BASE, "local": LOCAL_BASE, "cuda": pinned_foundation(root)}
    found = named.get(base, base) if base else foundation_of(lock) or WHEELS_BASE
    if found not in {WHEELS_BASE, LOCAL_BASE} and not _REFERENCE.fullmatch(str(found)):
        raise EngineError(
            f"--base: found {found!r}, wanted wheels, local, cuda or a reference with a digest "
            "(NAME@sha256:…)"
        )
    return str(found)


def environment_for(
    root: Path, foundation: str, folder: Path | None, lock: ImageLock
) -> BoundEnvironment | None:
    """What is bound into images on a foundation: the folder given, the lock's, or tonegap's own
    packages on the local base; nothing on a base that has torch. Raises EngineError.
    """
    if foundation == LOCAL_BASE:
        base = lock.images.get(PLUGIN_BASE)
        locked = Path(base.environment.host) if base and base.environment else None
        found = folder or locked or own_site_packages()
        return bound_environment(found, unlocked_needs(root), cache_folder(root))
    if folder is not None:
        raise EngineError(f"--environment: is bound on the local base only, not on {foundation}")
    return None


def unlocked_needs(root: Path) -> list[str]:
    """What the kit needs and no lock of its image has: torch, from the base or bound."""
    recipe = read_recipe(root, PLUGIN_BASE, LOCAL_BASE)
    locked = {name for path in recipe.locks for name in locked_versions(path)}
    return [name for name in kit_requirements(root / "docker" / "kit") if name not in locked]
