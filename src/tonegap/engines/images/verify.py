"""Checks that lock, sources and images agree: one sentence for each image that does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tonegap.engines.images.builder import short
from tonegap.engines.images.layout import Layout, layout_folder
from tonegap.engines.images.recipe import cache_folder, image_names
from tonegap.engines.images.resolve import stale_reason
from tonegap.engines.images.transport import damage, locked_images
from tonegap.errors import EngineError
from tonegap.formats.image_lock import ImageLock, LockedImage, read_lock


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
    """Every disagreement between the lock (no names: all of it), the sources and the images here; none is good.

    Asks no engine. Each blob is read once, however many images have it.
    """
    lock = read_lock(root)
    locked = locked_images(lock, root, names)
    found = [
        f"{image.name}: {text}; run `tonegap image build {image.name}`"
        for image in locked
        if (text := _stale(root, lock, image.name))
    ]
    layout = Layout(layout_folder(cache_folder(root)))
    damaged = damage(layout, locked)
    named = {text.split(":")[0] for text in damaged}
    return (
        [*found, *damaged]
        + [
            f"{image.name}: found content {content}, wanted {image.content_sha256} as locked"
            for image in locked
            if image.name not in named
            and (content := layout.content_sha256(image.image_id)) != image.content_sha256
        ]
        + [
            f"{image.name}: found {there}, wanted {_shape_of(image)} as locked"
            for image in locked
            if image.name not in named
            and (there := _shape(layout, image.image_id)) != _shape_of(image)
        ]
    )


def _shape(layout: Layout, image_id: str) -> str:
    config = layout.config(image_id)
    return f"{layout.size(image_id):,} bytes for {config['os']}/{config['architecture']}"


def _shape_of(image: LockedImage) -> str:
    return f"{image.size_bytes:,} bytes for {image.platform}"


def without_image(root: Path) -> list[str]:
    """The plug-ins with stages that the lock has no image of."""
    lock = read_lock(root)
    return [name for name in image_names(root) if "/" in name and name not in lock.images]


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
