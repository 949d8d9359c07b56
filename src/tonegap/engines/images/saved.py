"""Saved images (`docker save`): configs, layers, and a digest over the content of each.

The content digest leaves out what differs between two builds of the same sources: times, and the
config's moments and labels. It covers each layer's paths, types, modes, owners, links and file
contents, and what the config says about running. Every layer's bytes are checked against the config's
diff ids, and the config against the image id: the digest is that of exactly this image.
"""

import hashlib
import json
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tonegap.errors import EngineError
from tonegap.files import digest_of, sha256_bytes

_RUNNING = ("Cmd", "Entrypoint", "Env", "User", "WorkingDir")


@dataclass(frozen=True, slots=True)
class SavedImage:
    """One image of an archive: the config as it is spelt, and its layers' member names, in order."""

    config: bytes
    layers: tuple[str, ...]

    @property
    def image_id(self) -> str:
        """`sha256:…` of the config."""
        return f"sha256:{sha256_bytes(self.config)}"

    @property
    def diff_ids(self) -> list[str]:
        """What the config says of each layer: `sha256:…` of its archive."""
        ids: list[str] = json.loads(self.config)["rootfs"]["diff_ids"]
        return ids


class SavedImages:
    """The images of a saved archive, by id; to be closed. Layers that they share are read once."""

    def __init__(self, path: Path) -> None:
        """Opens an archive. Raises EngineError for anything that is none."""
        self.path = path
        self._seen: dict[tuple[str, str], str] = {}
        try:
            self._archive = tarfile.open(path)  # noqa: SIM115 -- closed by close()
        except (OSError, tarfile.TarError) as e:
            raise EngineError(f"{path}: not an archive of images: {e}") from None
        try:
            images = [self._image(entry) for entry in json.loads(self._bytes("manifest.json"))]
        except (OSError, tarfile.TarError, ValueError, KeyError, TypeError) as e:
            self.close()
            raise EngineError(f"{path}: not an archive of images: {e}") from None
        self.images = {image.image_id: image for image in images}

    def close(self) -> None:
        """Closes the archive."""
        self._archive.close()

    def open_layer(self, name: str) -> IO[bytes]:
        """A layer's bytes. Raises KeyError for a member that is no file."""
        member = self._archive.extractfile(name)
        if member is None:
            raise KeyError(f"{name}: no file")
        return member

    def layer_size(self, name: str) -> int:
        """A layer's size in bytes."""
        return self._archive.getmember(name).size

    def content_sha256(self, image_id: str) -> str:
        """Hex SHA-256 over an image's content, see the module.

        Raises EngineError where the archive has no such image, or a layer's bytes are not those of the
        image's config.
        """
        image = self.images.get(image_id)
        if image is None:
            raise EngineError(f"{self.path}: found {', '.join(self.images)}, wanted {image_id}")
        pairs = zip(image.layers, image.diff_ids, strict=True)
        digests = [self._layer_content(name, diff_id) for name, diff_id in pairs]
        config = json.loads(image.config).get("config") or {}
        running = {key: config.get(key) or None for key in _RUNNING}
        return digest_of({"layers": digests, "config": running})

    def _image(self, entry: dict[str, Any]) -> SavedImage:
        layers = tuple(self._own_member(name) for name in entry["Layers"])
        image = SavedImage(self._bytes(entry["Config"]), layers)
        if len(image.diff_ids) != len(layers):
            raise ValueError(
                f"{entry['Config']}: {len(layers)} layers, {len(image.diff_ids)} named"
            )
        return image

    def _own_member(self, name: str) -> str:
        """A layer's own member: engines save a layer that comes twice as a link to the first."""
        member = self._archive.getmember(name)
        if member.issym():
            return posixpath.normpath(posixpath.join(posixpath.dirname(name), member.linkname))
        return name

    def _layer_content(self, name: str, diff_id: str) -> str:
        """The digest of a layer's content, once its bytes are known to be the config's."""
        if (name, diff_id) not in self._seen:
            found = f"sha256:{_digest(self.open_layer(name))}"
            if found != diff_id:
                raise EngineError(f"{self.path}: layer {name}: found {found}, wanted {diff_id}")
            try:
                with tarfile.open(fileobj=self.open_layer(name), mode="r:") as layer:
                    self._seen[name, diff_id] = digest_of(sorted(_rows(layer)))
            except tarfile.TarError as e:
                raise EngineError(f"{self.path}: layer {name}: no plain tar archive: {e}") from None
        return self._seen[name, diff_id]

    def _bytes(self, name: str) -> bytes:
        return self.open_layer(name).read()


def _digest(content: IO[bytes]) -> str:
    return hashlib.file_digest(content, "sha256").hexdigest()  # type: ignore[arg-type]


def _rows(layer: tarfile.TarFile) -> Iterator[list[Any]]:
    """One row per member of a layer: all that counts as its content."""
    for member in layer:
        content = layer.extractfile(member) if member.isreg() else None
        yield [
            posixpath.normpath("/" + member.name),
            member.type.decode(),
            member.mode,
            member.uid,
            member.gid,
            member.linkname,
            [member.devmajor, member.devminor],
            _digest(content) if content else "",
        ]
