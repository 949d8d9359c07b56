"""Images as archives: for an engine to load, from an engine, and as one file that outlives its registry.

The file is an OCI image layout in a tar archive, each blob once, with members for its folders (without
them Apptainer does not open it). It also has the older `manifest.json`, so that every Docker and Podman
loads all its images at once. The same images give the same bytes.
"""

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from tonegap.engines.images.layout import LAYOUT_FILE, REF_NAME, Layout, copy_blob, index_json
from tonegap.engines.images.saved import SavedImages
from tonegap.engines.images.tarring import add_bytes, add_folder, add_stream, stream_archive
from tonegap.errors import EngineError
from tonegap.files import canonical_json

_BLOBS = "blobs/sha256"


def write_docker_archive(
    out: IO[bytes], layout: Layout, image_id: str, sent: Sequence[str]
) -> None:
    """Writes an image as engines load it, with these of its layers; an engine may know the others."""
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
    """Writes images as one OCI layout, each blob once; `tags` by image id are what engines call them."""
    entries = sorted((layout.entry(one) for one in tags), key=lambda one: str(one["annotations"]))
    blobs: dict[str, None] = {}
    for entry in entries:
        manifest = json.loads(layout.blob(entry["digest"]).read_bytes())
        parts = [entry, manifest["config"], *manifest["layers"]]
        blobs |= dict.fromkeys(str(part["digest"]) for part in parts)
    with stream_archive(out) as archive:
        add_bytes(archive, "oci-layout", LAYOUT_FILE)
        add_bytes(archive, "index.json", index_json(entries))
        add_bytes(archive, "manifest.json", canonical_json(_docker_manifest(layout, tags)))
        add_folder(archive, "blobs")
        add_folder(archive, _BLOBS)
        for digest in sorted(blobs):
            _add_blob(archive, _name(digest), layout.blob(digest))


def take_archive(layout: Layout, path: Path, image_id: str) -> None:
    """Takes an image of an OCI archive into the layout; what is there already is not read.

    Raises EngineError where the archive has it not, or a byte of it is not what its name says.
    """
    try:
        with tarfile.open(path, "r:") as archive:
            config = _take(layout, archive, image_id)
            for diff_id in json.loads(config.read_bytes())["rootfs"]["diff_ids"]:
                _take(layout, archive, diff_id)
            entries = json.loads(_member(archive, "index.json").read())["manifests"]
            name = _named(archive, entries, image_id)
    except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as e:
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
        if layout.blob(diff_id).is_file():
            continue
        found = copy_blob(saved.open_layer(member), layout)
        if found != diff_id:
            layout.blob(found).unlink()
            raise EngineError(f"{saved.path}: layer {member}: found {found}, wanted {diff_id}")
    layout.put_image(name, image.config)


def _take(layout: Layout, archive: tarfile.TarFile, digest: str) -> Path:
    """Where a blob lies, taken from the archive if it was not there."""
    if not layout.blob(digest).is_file():
        found = copy_blob(_member(archive, _name(digest)), layout)
        if found != digest:
            layout.blob(found).unlink()
            raise ValueError(f"{_name(digest)}: found {found}")
    return layout.blob(digest)


def _named(archive: tarfile.TarFile, entries: Sequence[dict[str, Any]], image_id: str) -> str:
    for entry in entries:
        if (
            json.loads(_member(archive, _name(entry["digest"])).read())["config"]["digest"]
            == image_id
        ):
            return str(entry["annotations"][REF_NAME])
    raise KeyError(image_id)


def _member(archive: tarfile.TarFile, name: str) -> IO[bytes]:
    found = archive.extractfile(name)
    if found is None:
        raise KeyError(f"{name}: no file")
    return found


def _name(digest: str) -> str:
    return f"{_BLOBS}/{digest.removeprefix('sha256:')}"


def _docker_manifest(layout: Layout, tags: dict[str, str]) -> list[dict[str, Any]]:
    return [
        {
            "Config": _name(image_id),
            "RepoTags": [tag],
            "Layers": [_name(diff_id) for diff_id in layout.diff_ids(image_id)],
        }
        for image_id, tag in tags.items()
    ]


def _add_blob(archive: tarfile.TarFile, name: str, path: Path) -> None:
    with path.open("rb") as content:
        add_stream(archive, name, content, path.stat().st_size)
