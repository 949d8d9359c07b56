"""Images as files: saved from an engine, and loaded into one."""

import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import docker
from docker.errors import ImageNotFound

from tonegap.engines.docker.daemon import UNREACHABLE
from tonegap.engines.images.saved import SavedImages
from tonegap.errors import EngineError

_CHUNK = 1 << 20


def save_images(client: docker.DockerClient, image_ids: Sequence[str], path: Path) -> None:
    """Writes images of the engine as one archive, layers that they share once.

    Raises EngineError where that fails.
    """
    api = client.api  # docker-py's own call takes one image; the engine takes several
    url = f"{api.base_url}/v{api.api_version}/images/get"
    try:
        with api.get(url, params={"names": list(image_ids)}, stream=True) as answer:
            if not answer.ok:
                raise EngineError(f"{', '.join(image_ids)}: cannot be saved: {answer.text.strip()}")
            with path.open("wb") as out:
                for chunk in answer.iter_content(_CHUNK):
                    out.write(chunk)
    except UNREACHABLE as e:
        raise EngineError(f"{', '.join(image_ids)}: cannot be saved: {e}") from None


def contents_of(client: docker.DockerClient, image_ids: Sequence[str]) -> dict[str, str]:
    """The content digest of each of these images of the engine, by id."""
    if not image_ids:
        return {}
    with tempfile.TemporaryDirectory(prefix="tonegap-images-") as folder:
        path = Path(folder) / "images.tar"
        save_images(client, image_ids, path)
        with closing(SavedImages(path)) as saved:
            return {image_id: saved.content_sha256(image_id) for image_id in image_ids}


def load_archive(client: docker.DockerClient, path: Path, image_id: str, tag: str) -> None:
    """Gives an archive of the image of that id to the engine, and the image its tag.

    Raises EngineError where the engine does not take it, or has no image of that id then.
    """
    try:
        with path.open("rb") as content:
            client.images.load(content)
        client.images.get(image_id).tag(*tag.split(":"))  # Podman takes no tag within the name
    except ImageNotFound:
        raise EngineError(f"{path}: loaded, but the engine has no image {image_id} now") from None
    except UNREACHABLE as e:
        raise EngineError(f"{path}: the engine does not load it: {e}") from None
