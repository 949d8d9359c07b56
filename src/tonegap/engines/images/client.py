"""Asks the container engine for images: finds, inspects, builds, loads and saves them.

Images are named by id and never pulled: what is not on the engine is an error that says how to get it.
"""

import os
import tempfile
import threading
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import IO

import docker
from docker.errors import BuildError, ImageNotFound
from docker.models.images import Image

from tonegap.engines.docker.daemon import UNREACHABLE
from tonegap.engines.images.archive import take_saved, write_docker_archive
from tonegap.engines.images.layout import Layout
from tonegap.engines.images.saved import SavedImages
from tonegap.errors import EngineError


def find_image(client: docker.DockerClient, reference: str) -> Image | None:
    """The image of that id or reference on the engine, None if it is not there."""
    try:
        return client.images.get(reference)
    except ImageNotFound:
        return None
    except UNREACHABLE as e:
        raise EngineError(f"{reference}: the engine cannot tell of it: {e}") from None


def need_image(client: docker.DockerClient, reference: str, cure: str) -> Image:
    """The image of that id or reference. Raises EngineError with the cure where it is not there."""
    image = find_image(client, reference)
    if image is None:
        raise EngineError(f"{reference}: not on this engine, and nothing is pulled unasked; {cure}")
    return image


def pull_image(client: docker.DockerClient, reference: str) -> None:
    """Has the engine fetch an image from its registry. Raises EngineError with what it said."""
    try:
        client.images.pull(reference)
    except UNREACHABLE as e:
        raise EngineError(f"{reference}: cannot be fetched: {e}") from None


def load_image(
    client: docker.DockerClient, layout: Layout, image_id: str, tag: str, base_id: str
) -> None:
    """Gives an image of the layout to the engine, and its tag.

    Where the engine has the base, layers of the base are not sent again, if it can do without.
    Raises EngineError where it does not take it, or has no image of that id then.
    """
    diff_ids = layout.diff_ids(image_id)
    if find_image(client, image_id) is None and base_id and find_image(client, base_id):
        known = set(layout.diff_ids(base_id)) if layout.has(base_id) else set()
        with suppress(*UNREACHABLE):
            _load(client, layout, image_id, [one for one in diff_ids if one not in known])
    try:
        if find_image(client, image_id) is None:
            _load(client, layout, image_id, diff_ids)
        client.images.get(image_id).tag(*tag.split(":"))  # Podman takes no tag within the name
    except ImageNotFound:
        raise EngineError(f"{tag}: loaded, but the engine has no image {image_id} now") from None
    except UNREACHABLE as e:
        raise EngineError(f"{tag}: the engine does not load it: {e}") from None


def _load(client: docker.DockerClient, layout: Layout, image_id: str, sent: Sequence[str]) -> None:
    """Sends an archive with these layers, which is written while the engine reads it."""
    reading, writing = os.pipe()
    damage: list[EngineError] = []

    def write() -> None:
        # An engine that refuses stops reading; what it says is the error.
        try:
            with suppress(BrokenPipeError), os.fdopen(writing, "wb") as out:
                write_docker_archive(out, layout, image_id, sent)
        except EngineError as e:
            damage.append(e)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        with os.fdopen(reading, "rb") as archive:
            client.images.load(archive)
    finally:
        writer.join()
        if damage:
            raise damage[0] from None


def take_image(client: docker.DockerClient, layout: Layout, image_id: str, name: str) -> None:
    """Takes an image of the engine into the layout, under a name; what is there already is not written again.

    Raises EngineError where it cannot be saved, or is not what the engine says it is.
    """
    with tempfile.TemporaryDirectory(dir=layout.folder, prefix=".part-") as folder:
        path = Path(folder) / "image.tar"
        try:
            with path.open("wb") as out:
                for chunk in client.images.get(image_id).save(chunk_size=1 << 20):
                    out.write(chunk)
        except UNREACHABLE as e:
            raise EngineError(f"{name}: {image_id} cannot be saved: {e}") from None
        with closing(SavedImages(path)) as saved:
            take_saved(layout, saved, image_id, name)


def build_image(
    client: docker.DockerClient,
    context: IO[bytes],
    tag: str,
    arguments: dict[str, str],
    labels: dict[str, str],
    no_cache: bool,
) -> str:
    """Builds a context offline; gives the image's id. Raises EngineError with the last lines of the build's log."""
    try:
        image, _ = client.images.build(
            fileobj=context, custom_context=True, tag=tag, buildargs=arguments, labels=labels,
            nocache=no_cache, network_mode="none", pull=False, rm=True, forcerm=True,
            use_config_proxy=False,
        )  # fmt: skip
    except BuildError as e:
        said = [str(line.get("stream", "")).strip() for line in e.build_log]
        tail = " / ".join([line for line in said if line][-3:])
        raise EngineError(f"{tag}: the build failed: {e.msg}: {tail}") from None
    except UNREACHABLE as e:
        raise EngineError(f"{tag}: the build failed: {e}") from None
    return str(image.id)
