"""Images as archives in a folder: taken along, kept for years, and refused where a byte differs.

Registries delete old images; an archive with its digest in the lock does not go away.
"""

import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import docker
import msgspec

from tonegap.engines.docker.daemon import BUILD_TIMEOUT_S, connected
from tonegap.engines.images.archive import load_archive, save_images
from tonegap.engines.images.builder import image_tag
from tonegap.engines.images.client import find_image, need_image
from tonegap.engines.images.oci import write_oci_archive
from tonegap.engines.images.saved import SavedImages
from tonegap.errors import EngineError
from tonegap.files import sha256_file, write_atomic
from tonegap.formats.image_lock import (
    ImageLock,
    LockedImage,
    encode_lock,
    lock_path,
    read_lock,
    write_lock,
)

Say = Callable[[str], None]


def archive_path(folder: Path, name: str) -> Path:
    """Where the archive of an image lies in a folder: `baselines-erm.oci.tar`."""
    return folder / f"{name.replace('/', '-')}.oci.tar"


def export_images(root: Path, folder: Path, names: Sequence[str], say: Say) -> ImageLock:
    """Writes an archive per image (none named: all of the lock), and its digest into the lock.

    A copy of the lock goes into the folder too. Raises EngineError for an image that is not on the
    engine, or a folder that cannot be written.
    """
    lock = read_lock(root)
    with connected(BUILD_TIMEOUT_S) as client:
        for image in locked_images(lock, root, names):
            need_image(client, image.image_id, f"run `tonegap image build {image.name}`")
            path = archive_path(folder, image.name)
            digest = _export(client, image, path)
            lock = lock.with_image(msgspec.structs.replace(image, archive_sha256=digest))
            write_lock(root, lock)
            say(f"{image.name}: {path}, {path.stat().st_size / 1e6:,.0f} MB, sha256 {digest}")
    write_atomic(folder / lock_path(root).name, encode_lock(lock))
    return lock


def import_images(root: Path, folder: Path, names: Sequence[str], say: Say) -> None:
    """Loads the archives of the lock's images (none named: all that the folder has).

    Raises EngineError naming the image whose archive is missing or not that of the lock.
    """
    lock = read_lock(root)
    images = locked_images(lock, root, names)
    if not names:
        images = [image for image in images if archive_path(folder, image.name).is_file()]
    if not images:
        raise EngineError(f"{folder}: no archive of an image that {lock_path(root)} names")
    with connected(BUILD_TIMEOUT_S) as client:
        for image in images:
            if find_image(client, image.image_id) is None:
                import_image(client, image, folder)
                say(f"{image.name}: loaded, {image.image_id}")
            else:
                check_archive(image, archive_path(folder, image.name))
                say(f"{image.name}: already on the engine, {image.image_id}")


def import_image(client: docker.DockerClient, image: LockedImage, folder: Path) -> None:
    """Loads one image's archive after checking it. Raises EngineError naming the image."""
    path = archive_path(folder, image.name)
    check_archive(image, path)
    load_archive(client, path, image.image_id, image_tag(image.name, image.source_sha256))


def ensure_present(client: docker.DockerClient, root: Path, image: LockedImage) -> None:
    """Has the image on the engine, from its archive in the suite root's folder if need be.

    Raises EngineError, naming the image, where neither has it or the archive is not the lock's.
    """
    if find_image(client, image.image_id) is not None:
        return
    if not archive_path(archives_folder(root), image.name).is_file():
        raise EngineError(
            f"{image.name}: its image {image.image_id} is not on this engine; run `tonegap image "
            f"build {image.name}`, or `tonegap image import DIR` with the folder of its archive"
        )
    import_image(client, image, archives_folder(root))


def archives_folder(root: Path) -> Path:
    """Where a run looks for archives of images."""
    return root / "docker" / "archives"


def check_archive(image: LockedImage, path: Path) -> None:
    """Raises EngineError, naming the image, unless the file is exactly the lock's archive of it.

    Where the lock has no digest of an archive, the image's id and content must be the lock's.
    """
    if not path.is_file():
        raise EngineError(f"{image.name}: no archive {path}; run `tonegap image export`")
    if image.archive_sha256 is not None:
        found = sha256_file(path)
        if found != image.archive_sha256:
            raise EngineError(
                f"{image.name}: {path} is refused: found sha256 {found}, wanted "
                f"{image.archive_sha256} as locked; fetch the archive again"
            )
        return
    try:
        with closing(SavedImages(path)) as saved:
            found = saved.content_sha256(image.image_id)
    except EngineError as e:
        raise EngineError(f"{image.name}: {path} is refused: {e}") from None
    if found != image.content_sha256:
        raise EngineError(
            f"{image.name}: {path} is refused: found content {found}, wanted {image.content_sha256}"
        )


def locked_images(lock: ImageLock, root: Path, names: Sequence[str]) -> list[LockedImage]:
    """The lock's images of those names, all for none. Raises EngineError for a name it lacks."""
    if not lock.images:
        raise EngineError(
            f"{lock_path(root)}: no images are locked; run `tonegap image build`, or take the lock "
            "from where the images come from, if you trust it"
        )
    for name in names:
        if name not in lock.images:
            known = ", ".join(lock.images)
            raise EngineError(f"{lock_path(root)}: no image {name!r}; there are: {known}")
    return [lock.images[name] for name in names or lock.images]


def _export(client: docker.DockerClient, image: LockedImage, path: Path) -> str:
    """Writes one archive, whole or not at all; gives its SHA-256."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".part-", dir=path.parent) as aside:
            saved_path, archive = Path(aside) / "saved.tar", Path(aside) / "image.oci.tar"
            save_images(client, [image.image_id], saved_path)
            with closing(SavedImages(saved_path)) as saved:
                found = saved.content_sha256(image.image_id)
                write_oci_archive(saved, saved.images[image.image_id], image.platform, archive)
            saved_path.unlink()
            if found != image.content_sha256:
                raise EngineError(f"{image.name}: the engine's image has not the locked content")
            digest = sha256_file(archive)
            archive.replace(path)
    except OSError as e:
        raise EngineError(f"{path}: cannot be written: {e.strerror}") from None
    return digest
