"""Images as one archive: taken along, kept for years, and refused where a byte differs; and onto an engine.

Registries delete old images; an archive whose images the lock names by their ids does not go away.
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import docker

from tonegap.declared.plugin import FOLDERS
from tonegap.engines.docker.daemon import BUILD_TIMEOUT_S, connected
from tonegap.engines.images.archive import archive_images, take_archive, write_oci_archive
from tonegap.engines.images.builder import short, tag_of
from tonegap.engines.images.client import find_image, load_image
from tonegap.engines.images.layout import Layout, layout_folder, open_layout
from tonegap.engines.images.recipe import cache_folder, image_names, is_image, no_image
from tonegap.errors import EngineError, file_errors
from tonegap.files import readable_json, write_atomic
from tonegap.formats.image_lock import ImageLock, LockedImage, lock_path, read_lock
from tonegap.lines import counted

Say = Callable[[str], None]
ARCHIVE = "images.oci.tar"


def archives_folder(root: Path) -> Path:
    """Where a run looks for an archive of images."""
    return root / "docker" / "archives"


def export_images(root: Path, folder: Path, names: Sequence[str], say: Say) -> Path:
    """Writes images (none named: all of the lock) as one archive, each blob once, and the lock beside it.

    Raises EngineError for an image that is not here or damaged, or a folder that cannot be written or
    is an image's name.
    """
    _refuse_name(root, folder, "export")
    lock = read_lock(root)
    layout = Layout(layout_folder(cache_folder(root)))
    images = locked_images(lock, root, names)
    for image in images:
        if why := layout.lack(image.image_id):
            raise EngineError(f"{image.name}: {why}; run `tonegap image build {image.name}`")
    tags = {image.image_id: tag_of(image.name, image.source_sha256) for image in images}
    path = folder / ARCHIVE
    with file_errors(EngineError, f"{path}: cannot be written"):
        folder.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(prefix=".part-", dir=folder) as aside:
            with (Path(aside) / ARCHIVE).open("wb") as out:
                try:
                    write_oci_archive(out, layout, tags)
                except EngineError as e:
                    raise EngineError(next(iter(damage(layout, images)), str(e))) from None
            (Path(aside) / ARCHIVE).replace(path)
        write_atomic(folder / lock_path(root).name, readable_json(lock))
    say(f"{path}: {counted(len(images), 'image')}, {path.stat().st_size / 1e6:,.0f} MB")
    return path


def import_images(root: Path, folder: Path, names: Sequence[str], say: Say) -> None:
    """Takes the lock's images (none named: those of them that it has) from the archive in a folder.

    Raises EngineError naming an image that the archive has not exactly as the lock says.
    """
    _refuse_name(root, folder, "import")
    if not (folder / ARCHIVE).is_file():
        raise EngineError(
            f"{folder}: no archive {ARCHIVE}; wanted the folder that `tonegap image export` has written"
        )
    images = locked_images(read_lock(root), root, names)
    if not names:
        try:
            held = archive_images(folder / ARCHIVE)
        except EngineError as e:
            raise EngineError(f"{e}; fetch the archive again") from None
        count, images = len(images), [one for one in images if one.image_id in held]
        if not images:
            raise EngineError(f"{folder / ARCHIVE}: has none of the {count} images of the lock")
        if len(images) < count:
            say(f"{folder / ARCHIVE}: has {len(images)} of the {count} images of the lock")
    with open_layout(cache_folder(root)) as layout:
        for image in images:
            if layout.has(image.image_id):
                say(f"{image.name}: already here, {short(image.image_id)}")
            else:
                _import(layout, image, folder)
                say(f"{image.name}: taken, {short(image.image_id)}")


def _import(layout: Layout, image: LockedImage, folder: Path) -> None:
    path = folder / ARCHIVE
    if not path.is_file():
        raise EngineError(f"{image.name}: no archive {path}; run `tonegap image export`")
    try:
        take_archive(layout, path, image.image_id, image.name)
    except EngineError as e:
        raise EngineError(f"{image.name}: {e}; fetch the archive again") from None
    found = layout.content_sha256(image.image_id)
    if found != image.content_sha256:
        raise EngineError(
            f"{image.name}: {path} is refused: found content {found}, wanted {image.content_sha256}"
        )


def damage(layout: Layout, images: Sequence[LockedImage]) -> list[str]:
    """A sentence for each of these images that is not here, or not what its digests say; each blob is read once."""
    found = {image.name: layout.lack(image.image_id) for image in images}
    parts = {one.name: layout.parts(one.image_id) for one in images if not found[one.name]}
    damaged = layout.damaged([digest for one in parts.values() for digest in one])
    for name, digests in parts.items():
        found[name] = next((damaged[digest] for digest in digests if digest in damaged), "")
    return [
        f"{name}: {why}; run `tonegap image build --no-cache {name}` or import its archive"
        for name, why in found.items()
        if why
    ]


def _refuse_name(root: Path, folder: Path, verb: str) -> None:
    """Raises EngineError where the folder of an archive is an image's name or a plug-in's folder."""
    known = {*image_names(root), *read_lock(root).images}
    if folder.as_posix() in known or any((folder / f"{one}.toml").exists() for one in FOLDERS):
        raise EngineError(
            f"{folder}: found an image or a plug-in, wanted the folder of an archive; run "
            f"`tonegap image {verb} FOLDER {folder}`"
        )


def load_images(root: Path, names: Sequence[str], say: Say) -> None:
    """Gives the lock's images of these names to the engine, where one answers; else says who will."""
    lock = read_lock(root)
    try:
        with connected(BUILD_TIMEOUT_S, "; --engine bwrap needs none") as client:
            for image in locked_images(lock, root, names):
                if find_image(client, image.image_id) is None:
                    say(f"{image.name}: giving it to the engine")
                    ensure_present(client, root, image)
    except EngineError as e:
        say(f"the images are built; a run gives them to the engine, once it can: {e}")


def ensure_present(client: docker.DockerClient, root: Path, image: LockedImage) -> None:
    """Has the image on the engine: from the layout, or from an archive in the suite root's folder.

    Raises EngineError, naming the image, where neither has it or the archive is not the lock's.
    """
    if find_image(client, image.image_id) is not None:
        return
    layout = Layout(layout_folder(cache_folder(root)))
    if not layout.has(image.image_id):
        if not (archives_folder(root) / ARCHIVE).is_file():
            raise EngineError(
                f"{image.name}: its image {image.image_id} is not here; run `tonegap image build "
                f"{image.name}`, or `tonegap image import DIR` with the folder of its archive"
            )
        with open_layout(cache_folder(root)) as layout:
            _import(layout, image, archives_folder(root))
    base = read_lock(root).images.get(image.base)
    if base is not None and layout.has(base.image_id):
        ensure_present(client, root, base)
    tag = tag_of(image.name, image.source_sha256)
    load_image(client, layout, image.image_id, tag, image.base_id)


def locked_images(lock: ImageLock, root: Path, names: Sequence[str]) -> list[LockedImage]:
    """The lock's images of those names, all for none. Raises EngineError for a name it lacks."""
    if not lock.images:
        raise EngineError(
            f"{lock_path(root)}: no images are locked; run `tonegap image build`, or take the lock "
            "from where the images come from, if you trust it"
        )
    for name in names:
        if name not in lock.images:
            if is_image(root, name):
                raise EngineError(
                    f"{name}: no image in {lock_path(root)}; run `tonegap image build {name}`"
                )
            raise EngineError(no_image(root, name))
    return [lock.images[name] for name in names or lock.images]
