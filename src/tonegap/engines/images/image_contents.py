"""The Python of an image: what compiles the files of its layers and tells of what is inside.

Compiled files have the bytes of the Python that made them, so it is always the image's own: of a root
file system it runs without container and without privileges, by the root's own loader; of an image from a registry in
a container. The mistake it exists to prevent: images that differ with the Python of the machine.
"""

import os
import platform
import subprocess
import tarfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

import docker
import msgspec
from docker.types import Mount

from tonegap.engines.docker.container_output import container_says
from tonegap.engines.images.layout import Layout
from tonegap.errors import EngineError
from tonegap.formats.image_lock import SITE, BoundEnvironment

_LOOK = Path(__file__).with_name("probe_in_image.py").read_text(encoding="utf-8")
# Sources below a folder that is the current one, under the names that they will have inside.
_COMPILE = """\
import compileall, py_compile, sys
compileall.compile_dir(sys.argv[1], quiet=2, force=True, prependdir="/",
    invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH)
"""
_BUILD = "import sys; print(sys.version)"


class Inside(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Versions of Python and its packages, and of Debian's, seen inside an image."""

    versions: dict[str, str]
    debian: dict[str, str]


class ImagePython(Protocol):
    """The Python of an image."""

    def compile(self, folder: Path, below: str) -> None:
        """Compiles what lies in `folder` below a folder (`opt/site`) of the image to be."""

    def says(self, code: str, arguments: Sequence[str], site: BoundEnvironment | None) -> str:
        """What it prints for a program, packages of `site` being there too. Raises EngineError."""


def build_of(python: ImagePython) -> str:
    """The version and build of a Python, as itself says it."""
    return python.says(_BUILD, (), None).strip()


def look_inside(
    python: ImagePython,
    site: BoundEnvironment | None,
    modules: Sequence[str],
    packages: Sequence[str],
) -> Inside:
    """What is seen inside an image, once the modules were imported. Raises EngineError with what was said."""
    return msgspec.json.decode(python.says(_LOOK, [*modules, "--", *packages], site), type=Inside)


class RootPython:
    """The Python of unpacked layers on a Debian root, run on this machine."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._loader = next(root.glob("usr/lib/*-linux-*/ld-linux-*.so.*"), None)
        self._python = next(root.glob("usr/bin/python3.[0-9]*"), None)
        if self._loader is None or self._python is None:
            raise EngineError(f"{root}: no Python 3 in the root file system")

    def compile(self, folder: Path, below: str) -> None:
        """As ImagePython says."""
        self._run(["-S", "-c", _COMPILE, below], {}, folder)

    def says(self, code: str, arguments: Sequence[str], site: BoundEnvironment | None) -> str:
        """As ImagePython says; packages are found where the images look for them."""
        places = [str(self._root / name) for name in ("kit", "opt/python")]
        env = {"PYTHONPATH": ":".join([*places, *([site.host] if site else [])])}
        return self._run(["-S", "-c", code, *arguments], env, self._root)

    def _run(self, arguments: Sequence[str], env: dict[str, str], folder: Path) -> str:
        loader, python = Path(str(self._loader)), str(self._python)
        libraries = [loader.parent, self._root / "usr/lib", self._root / "usr/lib64"]
        argv = [str(loader), "--library-path", ":".join(map(str, libraries)), python, *arguments]
        fixed = {
            "PYTHONHOME": str(self._root / "usr"),
            "PYTHONHASHSEED": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            "TONEGAP_ROOT": str(self._root),
            "LANG": "C.UTF-8",
        }
        try:
            done = subprocess.run(
                argv, cwd=folder, env={**env, **fixed}, capture_output=True, text=True, check=False
            )
        except OSError as e:
            raise EngineError(
                f"the image's Python does not run on this machine ({e.strerror}); images are "
                f"built on Linux of their own kind, this is {platform.system()} {platform.machine()}"
            ) from None
        if done.returncode:
            last = next(reversed(done.stderr.strip().splitlines()), f"code {done.returncode}")
            raise EngineError(f"inside the image: {last}")
        return done.stdout


@contextmanager
def root_python(layout: Layout, diff_ids: Sequence[str]) -> Iterator[RootPython]:
    """The Python of layers of the layout, the lowest a Debian root: unpacked aside, then removed."""
    with TemporaryDirectory(dir=layout.folder, prefix=".part-root-") as name:
        for diff_id in diff_ids:
            _unpack(layout.blob(diff_id), Path(name))
        yield RootPython(Path(name).resolve())


def _unpack(layer: Path, folder: Path) -> None:
    """Unpacks what a Python needs of a layer: programs, libraries, packages; no devices, no links out of it."""
    wanted = ("usr/bin/", "usr/lib", "usr/share/", "opt/", "kit/", "etc/tonegap/")
    with tarfile.open(layer, "r:") as archive:
        for member in archive:
            name = os.path.normpath(member.name.lstrip("/"))
            out = member.linkname.startswith("/") or ".." in Path(name).parts
            if (
                out
                or not name.startswith(wanted)
                or not (member.isreg() or member.issym() or member.islnk())
            ):
                continue
            archive.extract(member, folder, set_attrs=False)
            if member.isreg() and member.mode & 0o100:
                (folder / name).chmod(0o755)


class ContainerPython:
    """The Python of an image on the engine, run in a container."""

    def __init__(self, client: docker.DockerClient, image_id: str) -> None:
        self._client = client
        self._image_id = image_id

    def compile(self, folder: Path, below: str) -> None:
        """As ImagePython says."""
        mounts = [Mount("/layer", str(folder.resolve()), type="bind")]
        command = ["python3", "-c", _COMPILE, below]
        user = f"{os.geteuid()}:{os.getegid()}"
        container_says(
            self._client, self._image_id, command, mounts, user=user, working_dir="/layer"
        )

    def says(self, code: str, arguments: Sequence[str], site: BoundEnvironment | None) -> str:
        """As ImagePython says."""
        mounts = [Mount(SITE, site.host, type="bind", read_only=True)] if site else []
        return container_says(
            self._client, self._image_id, ["python3", "-c", code, *arguments], mounts
        )
