"""One engine and one image for all tests here; one folder of a stage for each."""

import threading
from dataclasses import replace
from pathlib import Path

import docker
import msgspec
import pytest
from own_engine import PRODUCTS, build, engine_host, forget, import_base

from tonegap.engines.base import Environment, RunSpec
from tonegap.engines.docker.engine import DockerEngine
from tonegap.engines.docker.image import StageImage
from tonegap.rooms.plugin import Plugin, PluginFile
from tonegap.rooms.suite import Limits

HERE = Path(__file__).parent


@pytest.fixture(scope="session", params=PRODUCTS)
def product(request):
    return request.param


@pytest.fixture(scope="session")
def host(product):
    with pytest.MonkeyPatch.context() as patch, engine_host(product) as address:
        patch.setenv("DOCKER_HOST", address)
        yield address


@pytest.fixture(scope="session")
def client(host):
    client = docker.DockerClient(base_url=host)
    yield client
    client.close()


@pytest.fixture(scope="session")
def base(client):
    found = import_base(client)
    yield found
    forget(client, found)


@pytest.fixture(scope="session")
def image(client, base):
    found = build(client, base, {"stage.py": (HERE / "stage.py").read_bytes()})
    yield found
    forget(client, found)


def image_with(image_id, bound=None):
    return StageImage("baselines/plain", image_id, Environment("e", {}), bound)


@pytest.fixture
def engine(image):
    return DockerEngine(lambda _plugin: image_with(image))


def plugin(*command):
    file = PluginFile("Plain", "for tests", command=command, stages=("train",))
    return Plugin("plain", "baseline", Path("/nowhere"), file)


class Work:
    """A work folder and what is to be done in it."""

    def __init__(self, folder):
        self.folder = folder
        for name in ("in", "out", "tmp"):
            (folder / name).mkdir(parents=True)
        (folder / "in" / "job.json").write_text("{}")
        self.out = folder / "out"
        self.log = folder / "log.txt"
        self.progress = []
        self.cancelled = threading.Event()

    def spec(self, mode, gpu=None, threads=1, **limits):
        wanted = {"timeout_s": 60, "memory_mib": 128, "output_mib": 20} | limits
        return RunSpec(
            plugin=plugin("python", "stage.py", mode),
            stage="train",
            in_dir=self.folder / "in",
            out_dir=self.out,
            tmp_dir=self.folder / "tmp",
            log=self.log,
            limits=msgspec.convert(wanted, Limits),
            threads=threads,
            gpu=gpu,
            cancelled=self.cancelled,
            on_progress=lambda done, total: self.progress.append((done, total)),
        )


@pytest.fixture
def work(tmp_path):
    return Work(tmp_path / "work" / f"stage.{tmp_path.name}")


@pytest.fixture(autouse=True)
def nothing_left(client):
    """No test leaves a container behind."""
    before = ids(client)
    yield
    assert ids(client) == before


def ids(client):
    return {found["Id"] for found in client.api.containers(all=True)}


@pytest.fixture
def plugin_of():
    return lambda spec, *command: replace(spec, plugin=plugin(*command))
