"""One engine and one image for all tests here; a work folder for each."""

from collections.abc import Iterator
from pathlib import Path

import docker
import pytest
from engine_fixtures import base, client, host, nothing_left, product
from one_stage import Work, image_with
from own_engine import build, forget
from tiny_rooms import tonegap

from tonegap.engines.docker.engine import DockerEngine

__all__ = ["base", "client", "host", "nothing_left", "product", "tonegap"]

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def image(client: docker.DockerClient, base: str) -> Iterator[str]:
    """The id of the image that holds `stage.py`."""
    found = build(client, base, {"stage.py": (HERE / "stage.py").read_bytes()})
    yield found
    forget(client, found)


@pytest.fixture
def engine(image: str) -> DockerEngine:
    return DockerEngine(lambda _plugin: image_with(image))


@pytest.fixture
def work(tmp_path: Path) -> Work:
    return Work(tmp_path / "work" / f"stage.{tmp_path.name}")
