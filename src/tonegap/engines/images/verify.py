"""Whether lock, sources and engine agree: one sentence per image that does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tonegap.engines.docker.daemon import BUILD_TIMEOUT_S, connected
from tonegap.engines.images.archive import contents_of
from tonegap.engines.images.builder import short
from tonegap.engines.images.client import find_image
from tonegap.engines.images.recipe import image_names
from tonegap.engines.images.resolve import stale_reason
from tonegap.engines.images.transport import locked_images
from tonegap.errors import EngineError
from tonegap.formats.image_lock import ImageLock, read_lock


@dataclass(frozen=True, slots=True)
class ImageState:
    """One image for a reader: its name, base, id, size in bytes, and how it stands."""

    name: str
    base: str
    image_id: str
    size_bytes: int
    state: str

    @property
    def short_id(self) -> str:
        """The id as people read it, – for none."""
        return short(self.image_id) or "–"


def verify_images(root: Path, names: Sequence[str]) -> list[str]:
    """Every disagreement between the lock, the sources and the engine; none is good.

    The content of each image is digested again. Raises EngineError where no engine answers.
    """
    lock = read_lock(root)
    locked = locked_images(lock, root, names)
    wanted = [image.name for image in locked]
    if not names:
        wanted += [name for name in image_names(root) if "/" in name and name not in lock.images]
    found = [
        f"{name}: {text}; run `tonegap image build {name}`"
        for name in wanted
        if (text := _stale(root, lock, name))
    ]
    with connected(BUILD_TIMEOUT_S) as client:
        here = [image for image in locked if find_image(client, image.image_id)]
        contents = contents_of(client, [image.image_id for image in here])
    found += [
        f"{image.name}: {image.image_id} is not on this engine; build it again or import its archive"
        for image in locked
        if image not in here
    ]
    return found + [
        f"{image.name}: found content {contents[image.image_id]}, wanted {image.content_sha256} as locked"
        for image in here
        if contents[image.image_id] != image.content_sha256
    ]


def list_images(root: Path) -> list[ImageState]:
    """Every image that there is or could be, and how it stands; without an engine, only the sources."""
    lock = read_lock(root)
    here = _on_engine(lock)
    names = dict.fromkeys([*image_names(root), *lock.images])
    return [_state(root, lock, name, here) for name in names]


def _on_engine(lock: ImageLock) -> frozenset[str] | None:
    """Ids of the lock's images that the engine has; None where no engine answers."""
    ids = [image.image_id for image in lock.images.values()]
    try:
        with connected() as client:
            return frozenset(image_id for image_id in ids if find_image(client, image_id))
    except EngineError:
        return None


def _state(root: Path, lock: ImageLock, name: str, here: frozenset[str] | None) -> ImageState:
    image = lock.images.get(name)
    if image is None:
        return ImageState(name, "", "", 0, "not built")
    state = _stale(root, lock, name) or "current"
    if state == "current" and here is None:
        state = "current; no engine answers"
    elif state == "current" and here is not None and image.image_id not in here:
        state = "not on this engine"
    return ImageState(name, image.base, image.image_id, image.size_bytes, state)


def _stale(root: Path, lock: ImageLock, name: str) -> str | None:
    """As `stale_reason`, where sources that cannot be read are a reason too."""
    try:
        return stale_reason(root, lock, name)
    except EngineError as e:
        return str(e)
