"""What images need of the container engine: to be found, looked into, built.

Images are named by id and never pulled: what is not on the engine is an error that says how to get it.
"""

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import docker
import msgspec
from docker.errors import BuildError, ImageNotFound
from docker.models.images import Image
from docker.types import Mount

from tonegap.engines.docker.daemon import BUILD_TIMEOUT_S, UNREACHABLE
from tonegap.errors import EngineError
from tonegap.formats.image_lock import SITE, BoundEnvironment

_INSIDE = Path(__file__).with_name("inside.py")


class Inside(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Versions of Python and its packages, and of Debian's, seen inside an image."""

    versions: dict[str, str]
    debian: dict[str, str]


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


def image_platform(image: Image) -> str:
    """`linux/amd64` and the like."""
    return f"{image.attrs['Os']}/{image.attrs['Architecture']}"


def look_inside(
    client: docker.DockerClient,
    image_id: str,
    environment: BoundEnvironment | None,
    modules: Sequence[str],
    packages: Sequence[str],
) -> Inside:
    """What is seen inside an image (with the environment bound), once the modules were imported.

    Raises EngineError with the last line of what was said inside.
    """
    command = ["python3", "-c", _INSIDE.read_text(encoding="utf-8"), *modules, "--", *packages]
    mounts = [Mount(SITE, environment.host, type="bind", read_only=True)] if environment else []
    try:
        container = client.containers.create(
            image_id, command, network_mode="none", read_only=True, mounts=mounts, entrypoint=[],
            cap_drop=["ALL"], security_opt=["no-new-privileges"], user="1000:1000",
            environment={"HOME": "/tmp"}, tmpfs={"/tmp": "size=64m"}, labels={"tonegap.role": "look"},
        )  # fmt: skip
    except UNREACHABLE as e:
        raise EngineError(f"{image_id}: no container can be made of it: {e}") from None
    try:
        container.start()
        code = container.wait(timeout=BUILD_TIMEOUT_S)["StatusCode"]
        said = container.logs(stdout=True, stderr=False)
        complaint = container.logs(stdout=False, stderr=True).decode(errors="replace").strip()
    except UNREACHABLE as e:
        raise EngineError(f"{image_id}: cannot be looked into: {e}") from None
    finally:
        with suppress(*UNREACHABLE):
            container.remove(force=True, v=True)
    if code:
        raise EngineError(f"inside the image: {next(reversed(complaint.splitlines()), code)}")
    return msgspec.json.decode(said, type=Inside)


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
