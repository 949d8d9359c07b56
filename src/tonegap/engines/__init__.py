"""Where a stage runs: one small interface, several engines behind one contract."""

from pathlib import Path

from tonegap.engines.base import Engine
from tonegap.errors import BadRequest

ENGINES = ("local", "docker")


def open_engine(name: str, root: Path, suite: str = "") -> Engine:
    """The engine of that name for a suite root; messages name the suite. Raises BadRequest for an unknown name."""
    if name == "local":
        from tonegap.engines.local import LocalEngine

        return LocalEngine(root / "docker" / "kit")
    if name == "docker":
        from tonegap.engines.docker.engine import DockerEngine
        from tonegap.engines.docker.image import stage_image
        from tonegap.engines.images.resolve import image_of
        from tonegap.engines.images.transport import ensure_present

        return DockerEngine(
            lambda plugin: stage_image(image_of(root, plugin, suite)),
            lambda client, plugin: ensure_present(client, root, image_of(root, plugin, suite)),
        )
    raise BadRequest(f"--engine: found {name!r}, wanted one of {', '.join(ENGINES)}")
