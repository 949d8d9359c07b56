"""A base image without a registry: a Debian root made from packages, as an archive an engine loads.

The archive's config holds no moment, so that the image's id is a function of its content.
"""

import shutil
import subprocess
import tarfile
from pathlib import Path

from tonegap.engines.images.tarring import add_bytes, add_stream
from tonegap.errors import EngineError
from tonegap.files import canonical_json, sha256_bytes, sha256_file

_CREATED = "2026-01-01T00:00:00Z"
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def make_rootfs(script: Path, tar: Path) -> None:
    """Runs a rootfs script. Raises EngineError with the last lines of its log where it fails."""
    if shutil.which("mmdebstrap") is None:
        raise EngineError(
            "mmdebstrap: not found; on Debian or Ubuntu: apt-get install mmdebstrap; "
            "elsewhere use --base cuda, which needs a registry"
        )
    done = subprocess.run(
        [str(script), str(tar)], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        last = next(reversed(done.stderr.strip().splitlines()), "it said nothing")
        raise EngineError(f"{script}: ended with code {done.returncode}: {last}")


def write_image_archive(tar: Path, out: Path, labels: dict[str, str], machine: str) -> str:
    """Writes a one-layer image archive; gives the id the image will have (`sha256:…`)."""
    diff_id = sha256_file(tar)
    config = canonical_json(
        {
            "architecture": machine,
            "os": "linux",
            "created": _CREATED,
            "config": {
                "Env": [f"PATH={_PATH}", "LANG=C.UTF-8"],
                "Cmd": ["python3"],
                "Labels": labels,
            },
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{diff_id}"]},
            "history": [{"created": _CREATED, "created_by": "mmdebstrap minbase"}],
        }
    )
    image_id = sha256_bytes(config)
    layer = f"{diff_id}/layer.tar"
    manifest = [{"Config": f"{image_id}.json", "RepoTags": [], "Layers": [layer]}]
    with tarfile.open(out, "w", format=tarfile.GNU_FORMAT) as archive:
        with tar.open("rb") as content:
            add_stream(archive, layer, content, tar.stat().st_size)
        add_bytes(archive, f"{image_id}.json", config)
        add_bytes(archive, "manifest.json", canonical_json(manifest))
    return f"sha256:{image_id}"
