"""The image of a plug-in's stages, from the lock, if the lock still says what the sources say.

Asks no engine. The mistake it exists to prevent: a run in an image of yesterday's code.
"""

import functools
from dataclasses import dataclass
from pathlib import Path

from tonegap.declared.plugin import Plugin
from tonegap.engines.base import Environment
from tonegap.engines.images.environment import bound_environment
from tonegap.engines.images.recipe import (
    cache_folder,
    foundation_of,
    is_image,
    read_recipe,
    source_sha256,
)
from tonegap.errors import EngineError
from tonegap.files import digest_of
from tonegap.formats.image_lock import (
    ImageLock,
    LockedImage,
    lock_path,
    read_lock,
)


@dataclass(frozen=True, slots=True)
class StageImage:
    """What a plug-in's stages run in: an image by id, what keys and records say of it.

    `bound` is a host folder of packages that belongs to it, mounted read-only; None for a whole image.
    """

    name: str
    id: str
    environment: Environment
    bound: Path | None


def stage_image(locked: LockedImage) -> StageImage:
    """The image that a lock's entry names.

    The environment's digest covers contents, not the id: an image built again from the same
    sources has another id and the same content, and its results stay valid.
    """
    contents = {"image": locked.content_sha256}
    versions = {"image": locked.image_id, "image content": locked.content_sha256}
    if locked.environment is not None:
        contents["bound packages"] = locked.environment.sha256
        versions |= locked.environment.versions
        versions["bound packages"] = locked.environment.sha256
    return StageImage(
        name=locked.name,
        id=locked.image_id,
        environment=Environment(digest_of(contents), {**locked.versions, **versions}),
        bound=None if locked.environment is None else Path(locked.environment.host),
    )


def image_of(root: Path, plugin: Plugin, suite: str = "") -> LockedImage:
    """The locked image of a plug-in with stages, for a suite if one is named.

    Raises EngineError, with the command that mends it, where there is none or its sources changed:
    its own, those of a base (Dockerfile, locks, kit), or the environment that is bound into it.
    """
    if not plugin.file.stages:
        raise EngineError(f"{plugin.label}: has no stages, so it has no image")
    lock = read_lock(root)
    reason = stale_reason(root, lock, plugin.label)
    if reason is not None:
        what = f"--suite {suite}" if suite else plugin.label
        raise EngineError(f"{plugin.label}: {reason}; run `tonegap image build {what}`")
    return lock.images[plugin.label]


def stale_reason(root: Path, lock: ImageLock, name: str) -> str | None:
    """Why the lock's image of that name is not what would be built now; None if it is.

    Raises EngineError for sources that no image can be built from.
    """
    image = lock.images.get(name)
    if image is None:
        return f"no image in {lock_path(root)}"
    foundation = foundation_of(lock)
    recipe = read_recipe(root, name, foundation)
    if recipe.base != image.base:
        return f"its Dockerfile now stands on {recipe.base}, the image on {image.base}"
    if is_image(root, recipe.base):
        reason = stale_reason(root, lock, recipe.base)
        if reason is not None:
            return f"{recipe.base}: {reason}" if recipe.base not in reason else reason
        base = lock.images[recipe.base]
        if base.image_id != image.base_id:
            return f"{recipe.base} was built again since"
        if base.environment is not None and base.environment != image.environment:
            return f"{recipe.base} has another environment bound since"
    if source_sha256(root, recipe, foundation) != image.source_sha256:
        return "its sources changed since its image was built"
    bound = image.environment
    if bound is None or _digest_now(bound.host, root) == bound.sha256:
        return None
    return f"the packages bound from {bound.host} changed"


@functools.cache
def _digest_now(host: str, root: Path) -> str:
    """Digest of a bound environment as it is now: looked at once per process."""
    return bound_environment(Path(host), (), cache_folder(root)).sha256
