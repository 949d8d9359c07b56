"""Images as archives: for an engine to load, from an engine, and as one file that outlives its registry.

The file is an OCI image layout in a tar archive, each blob once, with members for its folders (without
them Apptainer does not open it). It also has the older `manifest.json`, so that every Docker and Podman
loads all its images at once. The same images give the same bytes.
"""

import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, cast

from tonegap.engines.images.layout import (
    LAYOUT_FILE,
    REF_NAME,
    Config,
    ImageManifest,
    Index,
    Layout,
    copy_blob,
    index_json,
    read_form,
    ref_of,
)
from tonegap.engines.images.saved import SavedImages
from tonegap.engines.images.tarring import Sink, add_bytes, add_folder, add_stream, stream_archive
from tonegap.errors import EngineError
from tonegap.files import canonical_json

_BLOBS = "blobs/sha256"
_SMALL = 16 << 20  # bytes that an index or a manifest may have
_BROKEN = (OSError, tarfile.TarError, ValueError, KeyError, TypeError, RecursionError, EngineError)


def write_docker_archive(
    out: IO[bytes], layout: Layout, image_id: str, sent: Sequence[str]
) -> None:
    """Writes an image as engines load it, with these of its layers; an engine may know the others.

    Raises EngineError at a layer that is not what its name says.
    """
    config = layout.blob(image_id).read_bytes()
    names = [f"{one.removeprefix('sha256:')}/layer.tar" for one in layout.diff_ids(image_id)]
    spelt = f"{image_id.removeprefix('sha256:')}.json"
    with stream_archive(out) as archive:
        add_bytes(archive, spelt, config)
        manifest = [{"Config": spelt, "RepoTags": None, "Layers": names}]
        add_bytes(archive, "manifest.json", canonical_json(manifest))
        for diff_id in dict.fromkeys(sent):
            _add_blob(archive, f"{diff_id.removeprefix('sha256:')}/layer.tar", layout.blob(diff_id))


def write_oci_archive(out: IO[bytes], layout: Layout, tags: dict[str, str]) -> None:
    """Writes images as one OCI layout, each blob once; `tags` by image id are what engines call them.

    Raises EngineError at a blob that is not what its name says.
    """
    entries = sorted((layout.entry(one) for one in tags), key=lambda one: str(one["annotations"]))
    blobs = {digest for image_id in tags for digest in layout.parts(image_id)}
    manifest = [
        {
            "Config": _name(image_id),
            "RepoTags": [tag],
            "Layers": [_name(diff_id) for diff_id in layout.diff_ids(image_id)],
        }
        for image_id, tag in tags.items()
    ]
    with stream_archive(out) as archive:
        add_bytes(archive, "oci-layout", LAYOUT_FILE)
        add_bytes(archive, "index.json", index_json(entries))
        add_bytes(archive, "manifest.json", canonical_json(manifest))
        add_folder(archive, "blobs")
        add_folder(archive, _BLOBS)
        for digest in sorted(blobs):
            _add_blob(archive, _name(digest), layout.blob(digest))


def archive_images(path: Path) -> set[str]:
    """The ids of the images in an OCI archive. Raises EngineError for what is none."""
    try:
        with tarfile.open(path, "r:") as archive:
            return set(_names(archive))
    except _BROKEN as e:
        raise EngineError(f"{path} is refused: not an archive of images: {e}") from None


def take_archive(layout: Layout, path: Path, image_id: str, name: str) -> None:
    """Takes an image of an OCI archive into the layout under a name; what is whole there is not taken.

    Raises EngineError where the archive has it not, calls it otherwise, or a byte of it is not what its
    name says.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            found = _names(archive)[image_id]
            if found != ref_of(name):
                raise ValueError(f"it is called {found[:80]!r} there, wanted {ref_of(name)!r}")
            config = _take(layout, archive, image_id)
            for diff_id in read_form(config.read_bytes(), Config)["rootfs"]["diff_ids"]:
                _take(layout, archive, diff_id)
    except _BROKEN as e:
        raise EngineError(f"{path} is refused: not an archive with {image_id}: {e}") from None
    layout.put_image(name, config.read_bytes())


def take_saved(layout: Layout, saved: SavedImages, image_id: str, name: str) -> None:
    """Takes a saved image into the layout under a name, each layer checked against the image's config.

    Raises EngineError where the archive has no such image, or a layer is not the config's.
    """
    image = saved.images.get(image_id)
    if image is None:
        raise EngineError(f"{saved.path}: found {', '.join(saved.images)}, wanted {image_id}")
    for member, diff_id in zip(image.layers, image.diff_ids, strict=True):
        if not layout.damaged([diff_id]):
            continue
        found = copy_blob(saved.open_layer(member), layout)
        if found != diff_id:
            layout.blob(found).unlink()
            raise EngineError(f"{saved.path}: layer {member}: found {found}, wanted {diff_id}")
    layout.put_image(name, image.config)


def _take(layout: Layout, archive: tarfile.TarFile, digest: str) -> Path:
    """Where a blob lies, taken from the archive if it was not there, or damaged."""
    if layout.damaged([digest]):
        found = copy_blob(_member(archive, _name(digest)), layout)
        if found != digest:
            layout.blob(found).unlink()
            raise ValueError(f"{_name(digest)}: found {found}")
    return layout.blob(digest)


def _names(archive: tarfile.TarFile) -> dict[str, str]:
    """What an archive calls its images, by id. Raises one of `_BROKEN` for a forged or damaged index."""
    found = {}
    for entry in _read(archive, "index.json", Index)["manifests"]:
        manifest = _read(archive, _name(entry["digest"]), ImageManifest)
        found[str(manifest["config"]["digest"])] = str(entry["annotations"][REF_NAME])
    return found


def _read(archive: tarfile.TarFile, name: str, form: type) -> dict[str, Any]:
    content = _member(archive, name).read(_SMALL + 1)
    if len(content) > _SMALL:
        raise ValueError(f"{name}: larger than {_SMALL} bytes")
    try:
        return read_form(content, form)
    except ValueError as e:
        raise ValueError(f"{name}: {e}") from None


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    if found is None:
        raise KeyError(f"{name}: no file")
    return found


def _name(digest: str) -> str:
    return f"{_BLOBS}/{digest.removeprefix('sha256:')}"


class _Hashed:
    """A blob that is hashed as it is read."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content
        self.sink = Sink()

    def read(self, size: int = -1) -> bytes:
        chunk = self._content.read(size)
        self.sink.write(chunk)
        return chunk


def _add_blob(archive: tarfile.TarFile, name: str, path: Path) -> None:
    with path.open("rb") as content:
        hashed = _Hashed(content)
        add_stream(archive, name, cast(IO[bytes], hashed), path.stat().st_size)
    if hashed.sink.digest != f"sha256:{path.name}":
        raise EngineError(f"{path} is not what its name says")
