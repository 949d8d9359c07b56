"""The digest of the code that decides something: a module and all that it imports, however far down.

A list of sources that is kept by hand forgets one, and what was made by its old formula stays in use. Names in the
digest are those of modules, so the same code has the same digest wherever it is installed. A package that a module
merely lies in is not among them: it decides nothing, and the outermost has the version of tonegap.
"""

import functools
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tonegap.files import sha256_bytes, sha256_lines

_PACKAGE = "tonegap"
_ARITHMETIC = "tonegap.numerics"
# Of what writes the input of a stage: the folders whose results have digests of their own in its key.
HANDED_OVER = ("tonegap.plan.", "tonegap.store.", "tonegap.split.", "tonegap.declared.")
# One import of the package, wherever it stands: `from A import B, C` or `import A`. Expressions, because a syntax
# tree of each file takes ten times as long, on every plan; a test compares them with the tree.
_IMPORT = re.compile(
    rf"^[ \t]*(?:from ({_PACKAGE}[\w.]*) import (\((?:[^)#]|#[^\n]*)*\)|[^\n(]+)|import ({_PACKAGE}[^\n]*))",
    re.MULTILINE,
)
_NAME = re.compile(r"([\w.]+)(?: as \w+)?")
_COMMENT = re.compile(r"#[^\n]*")
# What stands there never runs: it is for annotations alone.
_NEVER_RUNS = re.compile(r"^if TYPE_CHECKING:\n(?:[ \t]+[^\n]*\n|\n)+", re.MULTILINE)


@functools.cache
def code_digest(*modules: str, but: tuple[str, ...] = ()) -> str:
    """Hex SHA-256 over the names and contents of these modules and of all that they import of tonegap.

    `but`: folders that are not followed, as what they hand over is in the key by itself.
    """
    return _own().digest(modules, but)


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

    def digest(self, modules: Iterable[str], but: tuple[str, ...] = ()) -> str:
        """Hex SHA-256 over the names and contents of the closure of these modules.

        And of the one that says how arithmetic rounds: all of them run under it, and none imports it.
        """
        names = self.closure((*modules, _ARITHMETIC), but)
        return sha256_lines(f"{name}\0{self._module(name).sha256}" for name in names)

    def closure(self, modules: Iterable[str], but: tuple[str, ...] = ()) -> list[str]:
        """The names of these modules and of all that they import, sorted; nothing from the folders `but`.

        Imports within functions count. Raises KeyError for a module that is not there.
        """
        waiting = list(modules)
        found: set[str] = set()
        for name in waiting:
            self._files[name]
        while waiting:
            name = waiting.pop()
            if name not in found and not name.startswith(but):
                found.add(name)
                waiting += self._module(name).imported
        return sorted(found)

    def file_of(self, module: str) -> Path:
        """Where a module lies."""
        return Path(self._files[module])

    def _module(self, name: str) -> _Module:
        if name not in self._read:
            content = self.file_of(name).read_bytes()
            needed = tuple(filter(None, map(self._home, imported(content.decode()))))
            self._read[name] = _Module(sha256_bytes(content), needed)
        return self._read[name]

    def _home(self, name: str) -> str | None:
        """The module of that name, or the one that has it: of `from A import b`, `A.b` may be a function."""
        if name in self._files:
            return name
        outer = name.rpartition(".")[0]
        return outer if outer in self._files else None


def imported(source: str) -> Iterator[str]:
    """Dotted names that a source imports of the package, `A.B` for `from A import B`: a module or what one has."""
    if "TYPE_CHECKING" in source:
        source = _NEVER_RUNS.sub("", source)
    for first, names, modules in _IMPORT.findall(source):
        for name in _NAME.findall(_COMMENT.sub("", names or modules)):
            yield f"{first}.{name}" if first else name


def _files(folder: str) -> Iterator[tuple[str, str]]:
    """Dotted name and file of every module."""
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        package = ".".join((_PACKAGE, *Path(os.path.relpath(place, folder)).parts))
        for name in names:
            if name.endswith(".py"):
                stem = name.removesuffix(".py")
                yield (package if stem == "__init__" else f"{package}.{stem}"), f"{place}/{name}"
