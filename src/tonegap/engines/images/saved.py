"""Saved images (`docker save`), and what of an image is its content.

The content digest leaves out what differs between two builds of the same sources: times, and the
config's moments and labels. It covers each layer's paths, types, modes, owners, links and file
contents, and what the config says about running.
"""

import gzip
import hashlib
import json
import posixpath
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from tonegap.errors import EngineError
from tonegap.files import digest_of, sha256_bytes

_GZIP = b"\x1f\x8b"
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
    """The images of a saved archive, by id; to be closed."""

    def __init__(self, path: Path) -> None:
        """Opens an archive. Raises EngineError for anything that is none."""
        self.path = path
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
        """A layer's bytes, unpacked where the engine saves them compressed. Raises KeyError for no file."""
        member = self._archive.extractfile(name)
        if member is None:
            raise KeyError(f"{name}: no file")
        is_packed = member.read(len(_GZIP)) == _GZIP
        member.seek(0)
        return cast(IO[bytes], gzip.GzipFile(fileobj=member)) if is_packed else member

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

    def _bytes(self, name: str) -> bytes:
        return self.open_layer(name).read()


def running_of(config: dict[str, Any]) -> dict[str, Any]:
    """What an image's config says about running."""
    said = config.get("config") or {}
    return {key: said.get(key) or None for key in _RUNNING}


def layer_content(content: IO[bytes], where: str) -> str:
    """Hex SHA-256 over what a layer holds, see the module. Raises EngineError for what is no plain archive."""
    try:
        with tarfile.open(fileobj=content, mode="r:") as layer:
            return digest_of(sorted(_rows(layer)))
    except tarfile.TarError as e:
        raise EngineError(f"{where}: no plain tar archive: {e}") from None


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
