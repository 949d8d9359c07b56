"""The digest of the code that decides something: a module and all that it imports, however far down.

A list of sources that is kept by hand forgets one, and what was made by its old formula stays in use. Names in the
digest are those of modules, so the same code has the same digest wherever it is installed.
"""

import functools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tonegap.files import sha256_bytes, sha256_lines

_PACKAGE = "tonegap"
# One import of the package, wherever it stands: `from A import B, C` or `import A`. Expressions, because a syntax
# tree of each file takes ten times as long, on every plan; a test compares them with the tree.
_IMPORT = re.compile(
    rf"^[ \t]*(?:from ({_PACKAGE}[\w.]*) import (\([^)]*\)|[^\n(]+)|import ({_PACKAGE}[^\n]*))",
    re.MULTILINE,
)
_NAME = re.compile(r"([\w.]+)(?: as \w+)?")
_COMMENT = re.compile(r"#[^\n]*")
# What stands there never runs: it is for annotations alone.
_NEVER_RUNS = re.compile(r"^if TYPE_CHECKING:\n(?:[ \t]+[^\n]*\n|\n)+", re.MULTILINE)


@functools.cache
def code_digest(*modules: str) -> str:
    """Hex SHA-256 over the names and contents of these modules and of all that they import of tonegap."""
    return _own().digest(modules)


@functools.cache
def _own() -> "Package":
    return Package(Path(__file__).parent)


@dataclass(frozen=True, slots=True)
class _Module:
    sha256: str
    imported: tuple[str, ...]


class Package:
    """The modules of the package that lies in a folder, each read once."""

    def __init__(self, folder: Path) -> None:
        """Finds the modules."""
        self._files = dict(_files(str(folder)))
        self._read: dict[str, _Module] = {}

    def digest(self, modules: Iterable[str]) -> str:
        """Hex SHA-256 over the names and contents of the closure of these modules."""
        return sha256_lines(
            f"{name}\0{self._module(name).sha256}" for name in self.closure(modules)
        )

    def closure(self, modules: Iterable[str]) -> list[str]:
        """The names of these modules, of the packages they lie in and of all they import, sorted.

        Imports within functions count. Raises KeyError for a module that is not there.
        """
        waiting = list(modules)
        found: set[str] = set()
        for name in waiting:
            self._files[name]
        while waiting:
            # Of `from A import b`, `A.b` may be a function: then it is no module. Packages run, too.
            for name in _with_packages(waiting.pop()):
                if name not in found and name in self._files:
                    found.add(name)
                    waiting += self._module(name).imported
        return sorted(found)

    def file_of(self, module: str) -> Path:
        """Where a module lies."""
        return Path(self._files[module])

    def _module(self, name: str) -> _Module:
        if name not in self._read:
            content = self.file_of(name).read_bytes()
            self._read[name] = _Module(sha256_bytes(content), tuple(imported(content.decode())))
        return self._read[name]


def imported(source: str) -> Iterator[str]:
    """Dotted names of the package that a source may import: `from A import B` may mean `A.B`."""
    if "TYPE_CHECKING" in source:
        source = _NEVER_RUNS.sub("", source)
    for first, names, modules in _IMPORT.findall(source):
        if first:
            yield first
        for name in _NAME.findall(_COMMENT.sub("", names or modules)):
            yield f"{first}.{name}" if first else name


def _files(folder: str) -> Iterator[tuple[str, str]]:
    """Dotted name and file of every module."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        inner = os.path.relpath(place, folder)
        package = _dotted([_PACKAGE] if inner == "." else [_PACKAGE, *Path(inner).parts])
        for name in names:
            if name.endswith(".py"):
                stem = name.removesuffix(".py")
                yield (package if stem == "__init__" else f"{package}.{stem}"), f"{place}/{name}"


def _dotted(parts: Sequence[str]) -> str:
    return ".".join(parts)


@functools.cache
def _with_packages(name: str) -> tuple[str, ...]:
    parts = name.split(".")
    return tuple(_dotted(parts[: i + 1]) for i in range(len(parts)))
