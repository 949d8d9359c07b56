"""Runs stages: one small interface, several engines behind one contract."""

from collections.abc import Callable
from pathlib import Path

from tonegap.engines.base import Engine
from tonegap.errors import BadRequest

ENGINES = ("local", "docker", "bwrap", "apptainer")


def open_engine(
    name: str,
    root: Path,
    suite: str = "",
    here: bool = True,
    say: Callable[[str], None] = lambda _: None,
) -> Engine:
    """The engine of that name for a suite root; messages name the suite. Raises BadRequest for an unknown name.

    `here`: its stages run on this machine, which has to have the program; not so on a login node. `say` is told
    what takes a while.
    """
    if name not in ENGINES:
        raise BadRequest(f"--engine: found {name!r}, wanted one of {', '.join(ENGINES)}")
    if name == "local":
        from tonegap.engines.local import LocalEngine

        return LocalEngine(root / "docker" / "kit")
    from tonegap.engines.images.resolve import image_of, stage_image

    if name == "docker":
        from tonegap.engines.docker.engine import DockerEngine
        from tonegap.engines.images.transport import ensure_present

        return DockerEngine(
            lambda plugin: stage_image(image_of(root, plugin, suite)),
            lambda client, plugin: ensure_present(client, root, image_of(root, plugin, suite)),
        )
    from tonegap.engines.images.layout import Layout, layout_folder
    from tonegap.engines.images.recipe import cache_folder
    from tonegap.engines.unpacked import UnpackedEngine

    layout = Layout(layout_folder(cache_folder(root)))
    return UnpackedEngine(
        name, lambda plugin: stage_image(image_of(root, plugin, suite)), layout, here, say
    )
