"""The image of a plug-in's stages, as the lock names it, and as the engine has it.

The mistake it exists to prevent: a tag that names another image today than yesterday, or one that
is fetched because somebody ran it.
"""

from dataclasses import dataclass
from pathlib import Path

import docker
from docker.errors import NotFound
from docker.models.images import Image

from tonegap.engines.base import Environment
from tonegap.errors import EngineError
from tonegap.files import digest_of
from tonegap.formats.image_lock import LockedImage


@dataclass(frozen=True, slots=True)
class StageImage:
    """What a plug-in's stages run in: an image by id, what keys and records say of it.

    `bound` is a host folder of packages that belongs to it, mounted read-only; None for a whole image.
    """

    name: str
    id: str
    environment: Environment
    bound: Path | None


def stage_image(locked: LockedImage) -> StageImage:
    """The image that a lock's entry names.

    The environment's digest covers contents, not the id: an image built again from the same
    sources has another id and the same content, and its results stay valid.
    """
    contents = {"image": locked.content_sha256}
    versions = {"image": locked.image_id, "image content": locked.content_sha256}
    if locked.environment is not None:
        contents["bound packages"] = locked.environment.sha256
        versions |= locked.environment.versions
        versions["bound packages"] = locked.environment.sha256
    return StageImage(
        name=locked.name,
        id=locked.image_id,
        environment=Environment(digest_of(contents), {**locked.versions, **versions}),
        bound=None if locked.environment is None else Path(locked.environment.host),
    )


def check_image(client: docker.DockerClient, image: StageImage) -> None:
    """Checks that the engine has the image and that a stage may run in it; never fetches it.

    Raises EngineError where it is absent, or keeps folders that could be written past every limit.
    """
    try:
        found: Image = client.images.get(image.id)
    except NotFound:
        raise EngineError(
            f"the engine does not have the image of {image.name} ({image.id[:19]}…); run "
            f"`tonegap image build {image.name}` or `tonegap image import` its archive"
        ) from None
    if found.id != image.id:
        raise EngineError(f"the image of {image.name}: asked for {image.id}, found {found.id}")
    volumes = (found.attrs.get("Config") or {}).get("Volumes") or {}
    if volumes:
        raise EngineError(
            f"the image of {image.name} declares VOLUME {', '.join(sorted(volumes))}; a stage "
            "writes to /out alone, so take that line out of its Dockerfile"
        )
