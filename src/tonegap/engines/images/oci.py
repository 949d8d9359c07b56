"""An image as one file that outlives its registry: an OCI image layout in a tar archive.

The same image gives the same bytes. The archive also carries the older `manifest.json`, so that every
Docker and Podman loads it.
"""

import tarfile
from pathlib import Path
from typing import Any

from tonegap.engines.images.saved import SavedImage, SavedImages
from tonegap.engines.images.tarring import add_bytes, add_stream
from tonegap.files import canonical_json, sha256_bytes

_TYPE = "application/vnd.oci.image"


def write_oci_archive(saved: SavedImages, image: SavedImage, platform: str, out: Path) -> None:
    """Writes a saved image as an OCI layout; layers stay uncompressed, so that diff ids name them."""
    members = dict(zip(image.diff_ids, image.layers, strict=True))
    sizes = {diff_id: saved.layer_size(member) for diff_id, member in members.items()}
    manifest = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": f"{_TYPE}.manifest.v1+json",
            "config": _descriptor("config.v1+json", image.image_id, len(image.config)),
            "layers": [_descriptor("layer.v1.tar", one, sizes[one]) for one in image.diff_ids],
        }
    )
    with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as archive:
        add_bytes(archive, "oci-layout", canonical_json({"imageLayoutVersion": "1.0.0"}))
        add_bytes(archive, "index.json", _index(manifest, platform))
        add_bytes(archive, "manifest.json", _docker_manifest(image))
        add_bytes(archive, _blob(sha256_bytes(manifest)), manifest)
        add_bytes(archive, _blob(image.image_id), image.config)
        for diff_id, member in members.items():
            add_stream(archive, _blob(diff_id), saved.open_layer(member), sizes[diff_id])


def _blob(digest: str) -> str:
    return f"blobs/sha256/{digest.removeprefix('sha256:')}"


def _descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": f"{_TYPE}.{kind}", "digest": digest, "size": size}


def _index(manifest: bytes, platform: str) -> bytes:
    os, _, architecture = platform.partition("/")
    entry = _descriptor("manifest.v1+json", f"sha256:{sha256_bytes(manifest)}", len(manifest))
    entry["platform"] = {"os": os, "architecture": architecture}
    return canonical_json({"schemaVersion": 2, "manifests": [entry]})


def _docker_manifest(image: SavedImage) -> bytes:
    layers = [_blob(diff_id) for diff_id in image.diff_ids]
    return canonical_json([{"Config": _blob(image.image_id), "RepoTags": None, "Layers": layers}])
