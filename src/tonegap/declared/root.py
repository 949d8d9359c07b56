"""Finds the suite root, the folder that holds the suite folders and plug-in folders."""

import tomllib
from pathlib import Path

from tonegap.errors import BadRoom


def find_root(start: Path | None = None) -> Path:
    """The suite root: `start` itself if given, else the nearest parent of the current folder that is one.

    A suite root is a folder whose pyproject.toml has a `[tool.tonegap]` table. Raises BadRoom.
    """
    if start is not None:
        if not is_root(start):
            raise BadRoom(
                f"{start}: not a suite root; wanted a folder whose pyproject.toml has [tool.tonegap]"
            )
        return start.resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if is_root(folder):
            return folder
    raise BadRoom(
        f"{here}: no suite root here or above; "
        "change into a clone of tonegap or pass --suite-root DIR"
    )


def is_root(folder: Path) -> bool:
    """Whether the folder's pyproject.toml has a `[tool.tonegap]` table."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False
    return isinstance(project.get("tool", {}).get("tonegap"), dict)
