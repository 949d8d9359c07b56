"""Whether lock, sources and images agree: one sentence per image that does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tonegap.engines.images.builder import short
from tonegap.engines.images.layout import Layout, layout_folder
from tonegap.engines.images.recipe import cache_folder, image_names
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
    """Every disagreement between the lock, the sources and the images here; none is good. Asks no engine.

    Each blob is read once, however many images have it.
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
    layout = Layout(layout_folder(cache_folder(root)))
    here = [image for image in locked if layout.blob(image.image_id).is_file()]
    found += [
        f"{image.name}: {image.image_id} is not here; build it again or import its archive"
        for image in locked
        if image not in here
    ]
    parts = {image.name: [image.image_id, *layout.diff_ids(image.image_id)] for image in here}
    damaged = layout.damaged([digest for one in parts.values() for digest in one])
    for image in here:
        why = [damaged[digest] for digest in parts[image.name] if digest in damaged]
        content = "" if why else layout.content_sha256(image.image_id)
        if why:
            found.append(
                f"{image.name}: {why[0]}; run `tonegap image build --no-cache {image.name}`"
            )
        elif content != image.content_sha256:
            wrong = f"found content {content}, wanted {image.content_sha256} as locked"
            found.append(f"{image.name}: {wrong}")
    return found


def list_images(root: Path) -> list[ImageState]:
    """Every image that there is or could be, and how it stands. Asks no engine."""
    lock = read_lock(root)
    layout = Layout(layout_folder(cache_folder(root)))
    return [
        _state(root, lock, name, layout)
        for name in {**dict.fromkeys(image_names(root)), **lock.images}
    ]


def _state(root: Path, lock: ImageLock, name: str, layout: Layout) -> ImageState:
    image = lock.images.get(name)
    if image is None:
        return ImageState(name, "", "", 0, "not built")
    state = _stale(root, lock, name) or ("current" if layout.has(image.image_id) else "not here")
    return ImageState(name, image.base, image.image_id, image.size_bytes, state)


def _stale(root: Path, lock: ImageLock, name: str) -> str | None:
    """As `stale_reason`, where sources that cannot be read are a reason too."""
    try:
        return stale_reason(root, lock, name)
    except EngineError as e:
        return str(e)
