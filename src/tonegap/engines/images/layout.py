"""All images of a suite root in one OCI image layout: each blob once, named by its digest.

Layers stay uncompressed, so that a diff id names a blob. What a layer holds is digested once, when it
comes in. Every change is a new file and then a new index, so a build that is cut short leaves the
images as they were.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Annotated, Any

import msgspec

from tonegap.caches import read_kept
from tonegap.engines.images.saved import layer_content, running_of
from tonegap.engines.images.tarring import Sink
from tonegap.errors import EngineError, file_errors
from tonegap.files import (
    canonical_json,
    digest_of,
    sha256_bytes,
    sha256_file,
    take_lock,
    write_atomic,
)

CREATED = "2026-01-01T00:00:00Z"
REF_NAME = "org.opencontainers.image.ref.name"
BASE_LABEL = "tonegap.base"  # the id of the image that one stands on
_TYPE = "application/vnd.oci.image"
_LAYERS = "layers.json"
_READ = "read.json"  # blobs that a build has read or written: size, time of change and inode then


class KnownLayer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A layer of the layout: diff id, size in bytes, digest of its content; its wheels' versions and hex SHA-256."""

    diff_id: str
    size: int
    content: str
    packages: dict[str, str] = {}
    hashes: dict[str, str] = {}


_Stamp = tuple[int, int, int]
_DECODER = msgspec.json.Decoder(dict[str, list[KnownLayer]])
Digest = Annotated[str, msgspec.Meta(pattern=r"\Asha256:[0-9a-f]{64}\Z")]


class _Part(msgspec.Struct):
    digest: Digest
    size: int


class _Entry(_Part):
    annotations: dict[str, str]


class Index(msgspec.Struct):
    """What `index.json` must say; it may say more."""

    manifests: list[_Entry]


class ImageManifest(msgspec.Struct):
    """What a manifest must say."""

    config: _Part
    layers: list[_Part]


class _Rootfs(msgspec.Struct):
    diff_ids: list[Digest]


class _Running(msgspec.Struct):
    env: list[str] | None = msgspec.field(name="Env", default=None)
    labels: dict[str, str] | None = msgspec.field(name="Labels", default=None)
    folder: str | None = msgspec.field(name="WorkingDir", default=None)


class _Step(msgspec.Struct):
    created_by: str = ""
    comment: str = ""


class Config(msgspec.Struct):
    """What an image's config must say."""

    rootfs: _Rootfs
    os: str
    architecture: str
    config: _Running | None = None
    history: list[_Step] | None = None


def read_form(content: bytes, form: type) -> dict[str, Any]:
    """The object in JSON that has this form. Raises ValueError for anything else."""
    try:
        said: dict[str, Any] = json.loads(content)
        msgspec.convert(said, form)
    except RecursionError:
        raise ValueError("nested too deep") from None
    except msgspec.ValidationError as e:
        raise ValueError(str(e)) from None
    return said


class Layout:
    """The images in a folder; `open_layout` locks it against other builds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._blobs = folder / "blobs" / "sha256"
        # Of layers that are not known here the content is digested again.
        known = read_kept(lambda: _DECODER.decode((folder / _LAYERS).read_bytes()))
        self._layers = known or {}
        self._manifests: dict[str, dict[str, Any]] = {}
        self._whole: set[str] = set()  # read through, or written, here
        self._reads = False
        self.index_damage = (
            ""  # why the index was none when it was looked at: blobs may be of images that it had
        )

    def blob(self, digest: str) -> Path:
        """Where the blob of a digest (`sha256:…`) lies, or would."""
        return self._blobs / digest.removeprefix("sha256:")

    # What is there.

    def has(self, image_id: str) -> bool:
        """Whether an image is here with all its layers, as `lack` says."""
        return not self.lack(image_id)

    def lack(self, image_id: str) -> str:
        """Why an image is not here with all its parts, each of its size; "" if it is.

        Reads a layer in a build alone, where it has changed since a build read it.
        """
        try:
            entry = self.entry(image_id)
            self.config(image_id)
        except EngineError as e:
            return str(e)
        layers = self._manifest(entry)["layers"]
        if [part["digest"] for part in layers] != self.diff_ids(image_id):
            return f"{self.blob(entry['digest'])} has other layers than the image's config"
        found = (self._wrong(part["digest"], part["size"]) for part in (entry, *layers))
        return next(filter(None, found), "")

    def _wrong(self, digest: str, size: int) -> str:
        path = self.blob(digest)
        if path.is_file() and path.stat().st_size != size:
            return f"{path} is not what its name says"
        if path.is_file() and not self._reads:
            return ""
        return self.damaged([digest]).get(digest, "")

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Reads every blob that is to be used, but those that are unchanged since a build read or wrote them."""
        path = self.folder / _READ
        known = read_kept(lambda: msgspec.json.decode(path.read_bytes(), type=dict[str, _Stamp]))
        self._whole |= {one for one, stamp in (known or {}).items() if stamp == self._stamp(one)}
        self._reads = True
        yield
        stamps = {one: stamp for one in sorted(self._whole) if (stamp := self._stamp(one))}
        write_atomic(path, msgspec.json.encode(stamps))

    def _stamp(self, digest: str) -> "_Stamp | None":
        if not self.blob(digest).is_file():
            return None
        status = self.blob(digest).stat()
        return status.st_size, status.st_mtime_ns, status.st_ino

    def config(self, image_id: str) -> dict[str, Any]:
        """An image's config. Raises EngineError where it is not here, or is not what its name says."""
        return self._small(image_id, Config)

    def diff_ids(self, image_id: str) -> list[str]:
        """The diff ids of an image's layers, lowest first."""
        ids: list[str] = self.config(image_id)["rootfs"]["diff_ids"]
        return ids

    def size(self, image_id: str) -> int:
        """Bytes of an image's layers."""
        return sum(self.blob(one).stat().st_size for one in self.diff_ids(image_id))

    def content_sha256(self, image_id: str) -> str:
        """Hex SHA-256 over an image's content (`saved.py`), from its layers' digests."""
        contents = [self.layer(one).content for one in self.diff_ids(image_id)]
        return digest_of({"layers": contents, "config": running_of(self.config(image_id))})

    def found(self, labels: Mapping[str, str]) -> str:
        """The id of an image here that has these labels, "" for none."""
        for entry in self._index():
            image_id = str(self._manifest(entry)["config"]["digest"])
            config = self.config(image_id) if self.has(image_id) else {}
            if labels.items() <= ((config.get("config") or {}).get("Labels") or {}).items():
                return image_id
        return ""

    def id_of(self, name: str) -> str:
        """The id of the image that has a name here, "" for none."""
        for entry in self._index():
            if entry["annotations"][REF_NAME] == ref_of(name):
                return str(self._manifest(entry)["config"]["digest"])
        return ""

    def layer(self, diff_id: str) -> KnownLayer:
        """What is known of a layer, digested now where nothing is. Raises EngineError where it is not here."""
        if not self._layers.get(diff_id):
            path = self.blob(diff_id)
            with (
                file_errors(EngineError, f"{path}: a layer that cannot be read"),
                path.open("rb") as content,
            ):
                digest = layer_content(content, str(path))
            self.keep(diff_id, [KnownLayer(diff_id, path.stat().st_size, digest)])
        return self._layers[diff_id][0]

    def cached(self, key: str) -> list[KnownLayer]:
        """The layers that were written for a key (`keep`); none where one is not here any more, or is cut."""
        layers = self._layers.get(key, [])
        return [] if any(self._wrong(one.diff_id, one.size) for one in layers) else layers

    def damaged(self, digests: Sequence[str]) -> dict[str, str]:
        """Why a blob is not what its name says, for each of these digests that is not; each read once."""
        found = {}
        for digest in dict.fromkeys(digests):
            path = self.blob(digest)
            if not path.is_file():
                found[digest] = f"{path} is missing"
            elif digest not in self._whole and sha256_file(path) != digest.removeprefix("sha256:"):
                found[digest] = f"{path} is not what its name says"
            else:
                self._whole.add(digest)
        return found

    def parts(self, image_id: str) -> list[str]:
        """The digests of all that an image has: manifest, config, layers. Raises EngineError where it is not here."""
        return [str(self.entry(image_id)["digest"]), image_id, *self.diff_ids(image_id)]

    # What comes in.

    @contextmanager
    def incoming(self) -> Iterator[Sink]:
        """A new blob; it gets its name when it is whole."""
        self._blobs.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self.folder, prefix=".part-")
        path = Path(name)
        try:
            with os.fdopen(handle, "wb", buffering=1 << 20) as out:
                sink = Sink(out)
                yield sink
            path.chmod(0o644)
            path.replace(self.blob(sink.digest))
            self._whole.add(sink.digest)
        finally:
            path.unlink(missing_ok=True)

    def put(self, content: bytes) -> str:
        """Takes a small blob; gives its digest."""
        with self.incoming() as sink:
            sink.write(content)
        return sink.digest

    def keep(self, key: str, layers: list[KnownLayer]) -> None:
        """Remembers layers by what they were written from, and each by its diff id."""
        self._layers |= {key: layers, **{one.diff_id: [one] for one in layers}}
        if os.access(self.folder, os.W_OK):
            write_atomic(self.folder / _LAYERS, msgspec.json.encode(self._layers))

    def put_image(self, name: str, config: bytes) -> str:
        """Takes an image whose layers are here under a name, in place of the one that had it; gives its id."""
        image_id = self.put(config)
        layers = [self.layer(diff_id) for diff_id in self.diff_ids(image_id)]
        manifest = canonical_json(
            {
                "schemaVersion": 2,
                "mediaType": f"{_TYPE}.manifest.v1+json",
                "config": _descriptor("config.v1+json", image_id, len(config)),
                "layers": [_descriptor("layer.v1.tar", one.diff_id, one.size) for one in layers],
            }
        )
        spelt = json.loads(config)
        entry = _descriptor("manifest.v1+json", self.put(manifest), len(manifest))
        entry["platform"] = {"os": spelt["os"], "architecture": spelt["architecture"]}
        entry["annotations"] = {REF_NAME: ref_of(name)}
        others = [one for one in self._index() if one["annotations"][REF_NAME] != ref_of(name)]
        entries = sorted([*others, entry], key=lambda one: str(one["annotations"][REF_NAME]))
        write_atomic(self.folder / "oci-layout", LAYOUT_FILE)
        write_atomic(self.folder / "index.json", index_json(entries))
        return image_id

    def entry(self, image_id: str) -> dict[str, Any]:
        """The index's entry for an image. Raises EngineError where it has none, or is no index."""
        self._read_index()
        for entry in self._index():
            if self._manifest(entry)["config"]["digest"] == image_id:
                return entry
        path = self.blob(image_id)
        why = f"{path} has no manifest here" if path.is_file() else f"{image_id} is not here"
        raise EngineError(why)

    def prune(self) -> int:
        """Removes the blobs that no image here has, none where the index was damaged; gives how many bytes."""
        kept = set()
        entries = self._index()
        if self.index_damage:
            return 0
        for entry in entries:
            manifest = self._manifest(entry)
            parts = [entry, manifest["config"], *manifest["layers"]]
            kept |= {str(part["digest"]).removeprefix("sha256:") for part in parts}
        gone = [path for path in self._blobs.glob("*") if path.name not in kept]
        freed = sum(path.stat().st_size for path in gone)
        for path in gone:
            path.unlink()
        self._layers = {key: layers for key, layers in self._layers.items() if self.cached(key)}
        return freed

    def _index(self) -> list[dict[str, Any]]:
        """The entries whose manifest is what it says; none of an index that is none: a build writes it anew."""
        found = []
        try:
            entries = self._read_index()
        except EngineError as e:
            self.index_damage = str(e)
            return []
        for entry in entries:
            with suppress(EngineError):
                self._manifest(entry)
                found.append(entry)
        return found

    def _read_index(self) -> list[dict[str, Any]]:
        """The entries of the index; none where it was not written yet. Raises EngineError for what is no index."""
        path = self.folder / "index.json"
        try:
            entries: list[dict[str, Any]] = read_form(path.read_bytes(), Index)["manifests"]
        except FileNotFoundError:
            return []
        except (OSError, ValueError) as e:
            raise EngineError(f"{path} is no index of images: {e}") from None
        if any(REF_NAME not in entry["annotations"] for entry in entries):
            raise EngineError(f"{path} is no index of images: one has no name")
        return entries

    def _manifest(self, entry: Mapping[str, Any]) -> dict[str, Any]:
        digest = entry["digest"]
        if digest not in self._manifests:
            self._manifests[digest] = self._small(digest, ImageManifest)
        return self._manifests[digest]

    def _small(self, digest: str, form: type) -> dict[str, Any]:
        """A manifest or config. Raises EngineError where it is not here, or not what its name says."""
        path = self.blob(digest)
        try:
            content = path.read_bytes()
        except OSError:
            raise EngineError(f"{self.folder}: {digest} is not here") from None
        try:
            if sha256_bytes(content) != path.name:
                raise ValueError("another digest")
            return read_form(content, form)
        except ValueError:
            raise EngineError(f"{path} is not what its name says") from None


LAYOUT_FILE = canonical_json({"imageLayoutVersion": "1.0.0"})


def index_json(entries: Sequence[Mapping[str, Any]]) -> bytes:
    """An index of these manifests, as `index.json` says it."""
    return canonical_json({"schemaVersion": 2, "manifests": list(entries)})


def layout_folder(cache: Path) -> Path:
    """Where the images of a suite root lie below its cache."""
    return cache / "oci"


@contextmanager
def open_layout(cache: Path) -> Iterator[Layout]:
    """The layout of a suite root, for one build at a time. Raises EngineError while another one writes it."""
    folder = layout_folder(cache)
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a") as held:
        if not take_lock(held, wait=False):
            raise EngineError(f"{folder}: another build writes images there; wait for its end")
        for left in folder.glob(".part-*"):  # by a build that was killed
            shutil.rmtree(left) if left.is_dir() else left.unlink()
        yield Layout(folder)


def base_config(machine: str) -> dict[str, Any]:
    """The config of an image with nothing in it, for a machine (`amd64`)."""
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    running = {"Env": [f"PATH={path}", "LANG=C.UTF-8"], "Cmd": ["python3"]}
    return {
        "architecture": machine,
        "os": "linux",
        "config": running,
        "rootfs": {"type": "layers", "diff_ids": []},
    }


def copy_blob(source: IO[bytes], layout: Layout) -> str:
    """Takes a stream as a blob; gives its digest."""
    with layout.incoming() as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
    return sink.digest


def ref_of(name: str) -> str:
    """An image's name in the index, without a slash: tools take names for paths."""
    return name.replace("/", "-")


def _descriptor(kind: str, digest: str, size: int) -> dict[str, Any]:
    return {"mediaType": f"{_TYPE}.{kind}", "digest": digest, "size": size}
