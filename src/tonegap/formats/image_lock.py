"""The lock of the images: `docker/images.lock.json`, machine-made, one entry per image.

The mistake it exists to prevent: a result from an image that nobody can name or build again.
"""

from pathlib import Path

import msgspec

from tonegap.errors import EngineError
from tonegap.files import readable_json, write_atomic

SCHEMA = "tonegap/images@2"
SITE = "/opt/site"  # where a bound environment is mounted; already on the images' PYTHONPATH


class BoundEnvironment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A host folder of Python packages (site-packages) that is bound read-only at `SITE`.

    Weaker than an image: it is named by a digest over its content, but nobody else can fetch it.
    `versions` are those of the packages that the kit needs.
    """

    host: str
    sha256: str
    versions: dict[str, str]


class LockedImage(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One image: what it was built from, and what came out.

    `base` is the name of the base's entry, a reference by digest, or "" where there is none.
    `image_id` says what runs; `content_sha256` is what a rebuild must reproduce (docker/README.md).
    `versions` are those seen inside, of Python and of all that is locked; `debian` those of Debian's
    packages, kept with the lowest image that has a list of them.
    """

    name: str
    base: str
    source_sha256: str
    base_id: str
    image_id: str
    content_sha256: str
    platform: str
    size_bytes: int
    environment: BoundEnvironment | None = None
    versions: dict[str, str] = {}
    debian: dict[str, str] = {}


class ImageLock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All locked images by name: `base-cuda`, `baselines/erm`."""

    images: dict[str, LockedImage] = {}
    schema: str = SCHEMA

    def with_image(self, image: LockedImage) -> "ImageLock":
        """The lock with this image in place of the one of its name."""
        images = {**self.images, image.name: image}
        return msgspec.structs.replace(self, images=dict(sorted(images.items())))


class _Schema(msgspec.Struct, frozen=True):
    schema: str = ""


def lock_path(root: Path) -> Path:
    """Where the lock of a suite root lies."""
    return root / "docker" / "images.lock.json"


def read_lock(root: Path) -> ImageLock:
    """The lock of a suite root; an empty one where none was written yet.

    Raises EngineError for a file that is no lock.
    """
    path = lock_path(root)
    try:
        content = path.read_bytes()
        schema = msgspec.json.decode(content, type=_Schema).schema
        if schema != SCHEMA:
            raise EngineError(
                f"{path}: found schema {schema!r}, wanted {SCHEMA!r}; remove it and run "
                "`tonegap image build`"
            )
        lock = msgspec.json.decode(content, type=ImageLock)
    except FileNotFoundError:
        return ImageLock()
    except (OSError, msgspec.MsgspecError) as e:
        raise EngineError(f"{path}: not a lock of images: {e}") from None
    for name, image in lock.images.items():
        if name != image.name:
            raise EngineError(f"{path}: the entry {name!r} holds the image {image.name!r}")
    return lock


def write_lock(root: Path, lock: ImageLock) -> None:
    """Writes the lock of a suite root, whole or not at all."""
    write_atomic(lock_path(root), readable_json(lock))
