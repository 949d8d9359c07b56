"""Where a stage runs: one small interface, several engines behind one contract."""

from pathlib import Path

from tonegap.engines.base import Engine
from tonegap.errors import BadRequest

ENGINES = ("local",)


def open_engine(name: str, root: Path) -> Engine:
    """The engine of that name for a suite root. Raises BadRequest for an unknown name."""
    if name == "local":
        from tonegap.engines.local import LocalEngine

        return LocalEngine(root / "docker" / "kit")
    raise BadRequest(f"--engine: found {name!r}, wanted one of {', '.join(ENGINES)}")
