"""Finds the suite root, the folder that holds the suite folders and plug-in folders."""

import tomllib
from pathlib import Path

from tonegap.errors import BadRequest, BadSuiteFolder

# The suite root that a wheel has inside; a clone has none there.
SHIPPED = Path(__file__).parents[1] / "suite_root"


def find_root(start: Path | None = None) -> Path:
    """The suite root: `start` itself if given, else the nearest parent of the current folder that is one.

    Without any, the one that is shipped inside an installed tonegap. A suite root is a folder whose pyproject.toml has
    a `[tool.tonegap]` table. Raises BadSuiteFolder.
    """
    if start is not None:
        if not is_root(start):
            raise BadSuiteFolder(
                f"{start}: not a suite root; wanted a folder whose pyproject.toml has [tool.tonegap]"
            )
        return start.resolve()
    here = Path.cwd()
    for folder in (here, *here.parents):
        if is_root(folder):
            return folder
    if is_root(SHIPPED):
        return SHIPPED
    raise BadSuiteFolder(
        f"{here}: no suite root here or above; "
        "change into a clone of tonegap or pass --suite-root DIR"
    )


def shipped_root() -> Path:
    """The suite root that came with this tonegap: inside the wheel, or the clone; not one of the user's own."""
    clone = SHIPPED.parents[2]
    return SHIPPED if is_root(SHIPPED) else find_root(clone if is_root(clone) else None)


def default_store(root: Path) -> Path:
    """Where results of a suite root are kept: `runs/` in it, or in the current folder for the shipped one."""
    return (Path.cwd() if root == SHIPPED else root) / "runs"


def check_own(root: Path, what: str) -> None:
    """Raises BadRequest for what would be written into the suite root that is shipped inside tonegap."""
    if root == SHIPPED:
        raise BadRequest(f"{what}: needs a suite root of your own; `tonegap init DIR` makes one")


def is_root(folder: Path) -> bool:
    """Whether the folder's pyproject.toml has a `[tool.tonegap]` table."""
    try:
        project = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False
    return isinstance(project.get("tool", {}).get("tonegap"), dict)
