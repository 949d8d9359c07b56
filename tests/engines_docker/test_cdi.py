"""GPUs asked for by name of a real engine that has harmless devices under the names of GPUs.

TONEGAP_TEST_CDI names the sockets of such engines (Docker 25 or newer, Podman 5.4 or newer), whose CDI
specification has nvidia.com/gpu=0, =1 and =GPU-aaaa (as 0), each a device node /dev/nvidia0 or 1.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import docker
import pytest
from one_stage import Work, image_with, plugin
from own_engine import forget, import_base

from tonegap.engines.docker.daemon import describe
from tonegap.engines.docker.engine import DockerEngine

SOCKETS = os.environ.get("TONEGAP_TEST_CDI", "").split()
pytestmark = [
    pytest.mark.container,
    pytest.mark.skipif(not SOCKETS, reason="TONEGAP_TEST_CDI is not set"),
]
LOOK = (
    "import glob, os; print(*sorted(glob.glob('/dev/nvidia[0-9]*')) or ['none'], "
    "os.environ['CUDA_VISIBLE_DEVICES'] or '-', os.environ['NVIDIA_VISIBLE_DEVICES'])"
)


@pytest.fixture(scope="module", params=SOCKETS)
def host(request):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", request.param)
        yield request.param


@pytest.fixture(scope="module")
def client(host):
    found = docker.DockerClient(base_url=host)
    yield found
    found.close()


@pytest.fixture(scope="module")
def image(client):
    found = import_base(client)
    yield found
    forget(client, found)


@pytest.fixture
def see(host, image, tmp_path):
    """What a stage that is given these GPUs sees, or why it did not run."""

    def run(*gpus):
        work = Work(tmp_path / "-".join(("work", *gpus)))
        spec = replace(work.spec("ok", gpus=gpus), plugin=plugin("python", "-c", LOOK))
        result = DockerEngine(lambda _plugin: image_with(image)).run(spec)
        return work.log.read_text().strip() if result.cause == "ok" else result.text

    return run


@pytest.mark.parametrize(
    ("gpu", "node"), [("0", "/dev/nvidia0"), ("1", "/dev/nvidia1"), ("GPU-aaaa", "/dev/nvidia0")]
)
def test_a_stage_sees_the_one_device_that_it_was_given(see, gpu, node):
    assert see(gpu) == f"{node} 0 void"


def test_two_stages_at_once_have_one_device_each(see):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(see, ["0", "1"]))
    assert found == ["/dev/nvidia0 0 void", "/dev/nvidia1 0 void"]


def test_a_stage_sees_the_two_devices_that_it_was_given(see):
    assert see("0", "1") == "/dev/nvidia0 /dev/nvidia1 0,1 void"


def test_a_device_that_is_not_there_is_named(see):
    said = see("7")
    assert "nvidia.com/gpu=7" in said or "has no GPU 7; it has 0, 1" in said


def test_a_stage_on_the_cpu_sees_no_device(see):
    assert see() == "none - void"


def test_docker_tells_which_gpus_it_has(client, host):
    daemon = describe(client)
    if daemon.product == "Docker":
        assert DockerEngine(lambda _plugin: image_with("")).gpus() == ("GPU-aaaa",)
