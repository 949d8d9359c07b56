"""Local files given to a plug-in as `PATH#sha256=HEX`: weights, embeddings, tables.

The mistake it exists to prevent: another file of the same name that is taken for the one a result was made with.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from tonegap.errors import BadRoom
from tonegap.files import sha256_file
from tonegap.rooms.plugin import Plugin
from tonegap.run.job import Parameter

NO_FILE = ("", "none")
_FORM = re.compile(r"(?P<path>.+)#sha256=(?P<sha256>[0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class GivenFile:
    """A local file: the parameter it is for, where it lies, its digest."""

    parameter: str
    path: Path
    sha256: str

    @property
    def public(self) -> str:
        """What a stage and a record are told: the name and digest, no path of the host."""
        return f"{self.path.name}#sha256={self.sha256}"


def given_files(
    plugin: Plugin, parameters: dict[str, Parameter], where: str
) -> tuple[GivenFile, ...]:
    """The files that a plug-in's filled parameters name.

    Raises BadRoom for a value of another form, and for two files of one name: the stage sees them in one folder.
    """
    found: list[GivenFile] = []
    for name, value in parameters.items():
        if plugin.file.parameters[name].kind != "file" or value in NO_FILE:
            continue
        match = _FORM.fullmatch(str(value))
        if match is None:
            raise BadRoom(
                f"{where}: {plugin.label} {name}: found {value!r}, wanted PATH#sha256=HEX "
                "(`sha256sum FILE` prints HEX), or none"
            )
        path = Path(match["path"]).expanduser()
        for other in found:
            if other.path.name == path.name:
                raise BadRoom(
                    f"{where}: {plugin.label} {name}: a file named {path.name} is given as "
                    f"{other.parameter} already; rename one of the two"
                )
        found.append(GivenFile(name, path, match["sha256"]))
    return tuple(found)


def check_given(file: GivenFile) -> None:
    """Raises BadRoom unless the file is there with that content."""
    if not file.path.is_file():
        raise BadRoom(f"{file.path}: no such file, but the parameter {file.parameter} names it")
    found = sha256_file(file.path)
    if found != file.sha256:
        raise BadRoom(
            f"{file.path}: found sha256 {found[:12]}…, wanted {file.sha256[:12]}… "
            f"(parameter {file.parameter}): this is another file than the one asked for"
        )
