"""Small archives of images, as an engine saves them."""

import io
import json
import tarfile

from tonegap.files import sha256_bytes


def layer(*members):
    """A layer's bytes from (name, content, changes of its member)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content, changes in members:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            for key, value in changes.items():
                setattr(member, key, value)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


def saved(path, layers, config=None, created="2026"):
    """An archive as an engine saves it: folders per layer, `manifest.json` last."""
    diff_ids = [f"sha256:{sha256_bytes(one)}" for one in layers]
    spelt = {"architecture": "amd64", "os": "linux", "created": created, "config": config or {}}
    spelt["rootfs"] = {"diff_ids": diff_ids}
    content = json.dumps(spelt).encode()
    names = [f"{i}/layer.tar" for i in range(len(layers))]
    files = dict(zip(names, layers, strict=True)) | {"config.json": content}
    files["manifest.json"] = json.dumps([{"Config": "config.json", "Layers": names}]).encode()
    path.write_bytes(layer(*((name, data, {}) for name, data in files.items())))
    return path
