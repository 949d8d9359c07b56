"""The real rooms in containers: a copy of them, an engine, the command line, the images."""

from pathlib import Path

import pytest
from engine_fixtures import client, host, nothing_left
from real_rooms import SMALL, Program, copied_rooms, marks

__all__ = ["client", "host", "nothing_left"]


@pytest.fixture(scope="session")
def product() -> str:
    """Docker's own engine: its images are meant here."""
    return "docker"


@pytest.fixture(scope="session")
def tonegap(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The command line on a copy of the rooms, so that nobody's lock of images is touched."""
    return copied_rooms(tmp_path_factory.mktemp("rooms"))


@pytest.fixture(scope="session")
def tonegap_cuda(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The command line on another copy, for images of other names and ids."""
    return copied_rooms(tmp_path_factory.mktemp("cuda"))


@pytest.fixture(scope="session")
def local(tonegap: Program, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of the smoke suite, run by the local engine."""
    store = tmp_path_factory.mktemp("local") / "runs"
    tonegap.done("run", "smoke", *SMALL, "--store", store)
    return store


@pytest.fixture(scope="session")
def images(tonegap: Program, local: Path, host: str) -> list[str]:
    """Names of the plug-ins whose stages ran; their images are built, without any registry."""
    names = sorted({mark["plugin"] for mark in marks(local)})
    tonegap.done("image", "build", "--base", "local", *names)
    return names


@pytest.fixture(scope="session")
def contained(
    tonegap: Program, images: list[str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The store of the smoke suite, run in containers."""
    store = tmp_path_factory.mktemp("contained") / "runs"
    tonegap.done("run", "smoke", *SMALL, "--store", store, "--engine", "docker")
    return store
