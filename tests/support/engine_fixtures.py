"""A container engine and a base image, once for all tests of a folder."""

from collections.abc import Iterator

import docker
import pytest
from own_engine import PRODUCTS, engine_host, forget, import_base

from tonegap.engines.docker.container import WORK_LABEL


@pytest.fixture(scope="session", params=PRODUCTS)
def product(request: pytest.FixtureRequest) -> str:
    """`docker`, and `podman` where TONEGAP_TEST_PODMAN asks for it."""
    return str(request.param)


@pytest.fixture(scope="session")
def host(product: str) -> Iterator[str]:
    """Its address, in DOCKER_HOST for as long as it is used."""
    with pytest.MonkeyPatch.context() as patch, engine_host(product) as address:
        patch.setenv("DOCKER_HOST", address)
        yield address


@pytest.fixture(scope="session")
def client(host: str) -> Iterator[docker.DockerClient]:
    """A client of it."""
    client = docker.DockerClient(base_url=host)
    yield client
    client.close()


@pytest.fixture(scope="session")
def base(client: docker.DockerClient) -> Iterator[str]:
    """The id of a base image with Python."""
    found = import_base(client)
    yield found
    forget(client, found)


@pytest.fixture(autouse=True)
def nothing_left(client: docker.DockerClient) -> Iterator[None]:
    """No test leaves a stage's container behind."""
    yield
    assert containers(client) == []


def containers(client: docker.DockerClient) -> list[str]:
    """Ids of the stages' containers, running or not."""
    found = client.api.containers(all=True, filters={"label": WORK_LABEL})
    return [container["Id"] for container in found]
