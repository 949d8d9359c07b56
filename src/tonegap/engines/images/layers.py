"""Writes the layers of an image into the layout: the same bytes on every machine, and no engine.

What is written depends on names and contents alone, and on the Python of the image that compiles it.
"""

import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from tonegap.engines.images.image_contents import ImagePython, build_of
from tonegap.engines.images.layout import KnownLayer, Layout
from tonegap.engines.images.recipe import WRITER, Files, Wheels
from tonegap.engines.images.tarring import write_files
from tonegap.engines.images.wheels import (
    Wheel,
    check_apart,
    fetch_wheels,
    in_layers,
    install_wheel,
    plain_name,
)
from tonegap.files import digest_of, sha256_file

Say = Callable[[str], None]


class LayerWriter:
    """Writes layers with the Python of the image that they are for."""

    def __init__(self, layout: Layout, python: ImagePython, machine: str, say: Say) -> None:
        """`machine` is that of the images, as engines spell it: `amd64`."""
        self._layout = layout
        self._python = python
        self._build = build_of(python)
        self._machine = machine
        self._say = say

    def wheels(self, wanted: Wheels, anew: bool) -> list[KnownLayer]:
        """The layers of a lock's wheels: those here already, unless `anew`, or else fetched and written.

        Raises EngineError for a wheel that cannot be had.
        """
        where = [self._build, self._machine, wanted.folder, WRITER]
        key = digest_of(["lock", sha256_file(wanted.lock), *where])
        found = [] if anew else self._layout.cached(key)
        if found:
            return found
        with TemporaryDirectory(dir=self._layout.folder, prefix=".part-wheels-") as folder:
            version = ".".join(self._build.split(".")[:2])
            wheels = fetch_wheels(wanted.lock, version, self._machine, Path(folder), self._say)
            check_apart(wheels)
            groups = in_layers(wheels)
            for number, group in enumerate(groups, 1):
                began = time.monotonic()
                own = digest_of(["wheels", [wheel.sha256 for wheel in group], *where])
                layers = [] if anew else self._layout.cached(own)
                if not layers:
                    layers = [self._installed(group, wanted.folder)]
                    self._layout.keep(own, layers)
                found += layers
                what = group[0].name if len(group) == 1 else f"{len(group)} more packages"
                self._say(
                    f"layer {number} of {len(groups)}: {what}, {layers[0].size / 1e6:,.0f} MB, "
                    f"{time.monotonic() - began:.1f} s"
                )
        self._layout.keep(key, found)
        return found

    def files(self, wanted: Files) -> KnownLayer:
        """The layer of files, Python's among them compiled where that is asked for."""
        if not wanted.compiled:
            return self.write(wanted.files)
        with TemporaryDirectory(dir=self._layout.folder, prefix=".part-files-") as folder:
            for name, source in wanted.files.items():
                target = Path(folder, name.lstrip("/"))
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, target)
            return self._compiled(Path(folder), wanted.compiled)

    def write(self, files: Mapping[str, Path | bytes]) -> KnownLayer:
        """The layer of these files by their absolute name inside."""
        with self._layout.incoming() as sink:
            write_files(sink, files)
        return self._layout.layer(sink.digest)

    def _installed(self, group: list[Wheel], folder: str) -> KnownLayer:
        with TemporaryDirectory(dir=self._layout.folder, prefix=".part-layer-") as stage:
            for wheel in group:
                install_wheel(wheel, Path(stage, folder.lstrip("/")))
            layer = self._compiled(Path(stage), folder)
        packages = {wheel.name: wheel.version for wheel in group}
        hashes = {plain_name(wheel.name): wheel.sha256 for wheel in group}
        return msgspec.structs.replace(layer, packages=packages, hashes=hashes)

    def _compiled(self, stage: Path, below: str) -> KnownLayer:
        """The layer of all that lies in a folder of its own, compiled below a name."""
        self._python.compile(stage, below.lstrip("/"))
        files = {path.relative_to(stage).as_posix(): path for path in stage.rglob("*")}
        return self.write({name: path for name, path in files.items() if not path.is_dir()})
