"""Written images on a real engine, and those that only an engine can make."""

import shutil

import docker
import msgspec
import pytest
from images_root import make_environment, make_small, write
from own_engine import PRODUCTS, own_engine, root_of_python
from own_engine import build as build_small
from small_wheel import lock_wheels

from tonegap.declared.plugin import read_plugin
from tonegap.engines.docker.container_output import container_says
from tonegap.engines.docker.daemon import connected
from tonegap.engines.images.build import BuildRequest, build_images
from tonegap.engines.images.image_contents import ContainerPython, look_inside
from tonegap.engines.images.resolve import image_of
from tonegap.engines.images.transport import (
    archives_folder,
    ensure_present,
    export_images,
    load_images,
)
from tonegap.engines.images.verify import verify_images
from tonegap.errors import EngineError
from tonegap.formats.image_lock import read_lock

pytestmark = [pytest.mark.container, pytest.mark.slow]
NAMES = ("baselines/first", "baselines/second")
RUNS = "RUN python3 -c \"import drawn; open('/plugin/made', 'w').write(drawn.__version__)\"\n"


def quiet(_said):
    pass


def build(root, *names, **more):
    """The lock after a build, and what was said."""
    said = []
    return build_images(root, BuildRequest(names, **more), said.append), said


@pytest.fixture(scope="module")
def wheels(tmp_path_factory):
    return tmp_path_factory.mktemp("wheels")


@pytest.fixture(scope="module")
def built(engine, wheels, tmp_path_factory):
    """A root whose two baselines have images, of tiny wheels on this machine's Python."""
    folder = tmp_path_factory.mktemp("built")
    (folder / "root.tar").write_bytes(root_of_python())
    root = make_small(folder / "root", wheels, folder / "root.tar")
    build(root, *NAMES)
    load_images(root, NAMES, quiet)
    yield root
    with connected() as found:
        for image in found.images.list():
            for tag in image.tags:
                if tag.startswith("tonegap/"):
                    found.images.remove(tag, force=True)


@pytest.fixture
def kept(built, tmp_path):
    """The root as built, elsewhere, to be changed."""
    return shutil.copytree(built, tmp_path / "kept")


@pytest.fixture
def client(engine):
    with connected() as found:
        yield found


def test_a_stage_is_nobody_special_and_finds_kit_and_packages(built, client):
    image_id = read_lock(built).images["baselines/first"].image_id
    code = "import getpass, os, numpy, torch, tonegap_kit.job; print(os.getuid(), getpass.getuser(), os.getcwd())"
    assert container_says(client, image_id, ["python3", "-c", code]) == "1000 runner /plugin\n"


def test_compiled_files_of_an_image_are_taken(built, client):
    image_id = read_lock(built).images["baselines/first"].image_id
    code = "import sys, numpy; print(numpy.__cached__)"
    said = container_says(client, image_id, ["python3", "-v", "-c", code])
    assert said.startswith("/opt/python/__pycache__/numpy.cpython-")


def test_the_engine_has_the_images_under_the_ids_of_the_lock(built, client):
    for name in ("base-cuda", *NAMES):
        assert client.images.get(read_lock(built).images[name].image_id).tags


def test_a_bound_environment_is_not_in_the_image(kept, tmp_path, client):
    site = make_environment(tmp_path / "site")
    build(kept, "baselines/first", base="local", environment=site)
    image = image_of(kept, read_plugin(kept, "baseline", "first"))
    load_images(kept, ["baselines/first"], quiet)
    inside = ContainerPython(client, image.image_id)
    assert look_inside(inside, image.environment, ["torch"], ["torch"]).versions["torch"] == "9.1"
    with pytest.raises(EngineError, match="No module named 'torch'"):
        look_inside(inside, None, ["torch"], [])


@pytest.fixture
def running(kept, wheels):
    """A plug-in whose Dockerfile runs a command that needs its own wheels."""
    folder = kept / "baselines/running"
    shutil.copytree(kept / "baselines/first", folder)
    lock_wheels(folder / "requirements.txt", wheels, {"drawn": "1.0"})
    write(folder / "Dockerfile", (folder / "Dockerfile").read_text() + "USER 0\n" + RUNS)
    return "baselines/running"


def test_a_dockerfile_that_runs_something_is_run_by_the_engine_on_its_own_wheels(
    kept, running, client
):
    lock, said = build(kept, running)
    assert any("the engine runs its Dockerfile" in line for line in said)
    image = lock.images[running]
    assert image.versions["drawn"] == "1.0"
    code = "print(open('/plugin/made').read())"
    assert container_says(client, image.image_id, ["python3", "-c", code]) == "1.0\n"
    assert verify_images(kept, [running]) == []
    assert build(kept, running)[0] == lock


def test_what_an_engine_ran_again_has_the_same_content(kept, running):
    before = build(kept, running)[0].images[running]
    lock, said = build(kept, running, no_cache=True)
    assert f"{running}: the same content as before from the same sources" in said
    assert lock.images[running].content_sha256 == before.content_sha256


def test_a_build_that_fails_says_its_last_words_and_leaves_the_lock(kept, running):
    before = read_lock(kept)
    path = kept / running / "Dockerfile"
    write(path, path.read_text() + "RUN echo something went wrong && exit 3\n")
    with pytest.raises(EngineError, match="something went wrong"):
        build(kept, running)
    assert read_lock(kept) == before


def test_a_base_that_is_not_here_is_never_pulled(kept):
    pin = "somewhere.invalid/torch@sha256:" + "a" * 64
    with pytest.raises(EngineError, match=f"nothing is pulled unasked.*docker pull {pin}"):
        build(kept, "baselines/first", base=pin)


def test_a_base_that_cannot_be_pulled_is_named(kept):
    pin = "somewhere.invalid/torch@sha256:" + "a" * 64
    with pytest.raises(EngineError, match=f"{pin}: cannot be fetched"):
        build(kept, "baselines/first", base=pin, pull=True)


def test_a_base_that_has_torch_needs_no_wheels_and_no_environment(kept, tmp_path, client):
    packages = make_environment(tmp_path / "site")
    files = {
        path.relative_to(packages).as_posix(): path.read_bytes()
        for path in packages.rglob("*")
        if path.is_file()
    }
    load_images(kept, ["base-local"], quiet)
    below = read_lock(kept).images["base-local"].image_id
    into = 'import shutil; shutil.copytree("/plugin", "/opt/site")'
    foundation = build_small(client, below, files, f"USER 0\nRUN python3 -c '{into}'\n")
    lock, _ = build(kept, "baselines/first", base=foundation)
    image = lock.images["baselines/first"]
    assert (lock.images["base-cuda"].base, image.environment) == (foundation, None)
    assert image.versions["numpy"] == "2.0"
    assert image_of(kept, read_plugin(kept, "baseline", "first")) == image
    code = "import numpy; print(numpy.__cached__)"
    load_images(kept, ["baselines/first"], quiet)
    assert "/opt/python/__pycache__/" in container_says(
        client, image.image_id, ["python3", "-c", code]
    )
    client.images.remove(foundation, force=True)


def forget(client, image):
    client.images.remove(image.image_id, force=True)
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get(image.image_id)


@pytest.fixture
def archives(kept):
    """Where runs look for an archive."""
    return archives_folder(kept)


def test_an_engine_loads_an_archive_of_images_as_it_is(kept, archives, client):
    image = read_lock(kept).images["baselines/first"]
    path = export_images(kept, archives, ["baselines/first"], quiet)
    forget(client, image)
    with path.open("rb") as content:
        client.images.load(content)
    assert client.images.get(image.image_id).id == image.image_id


def test_a_run_takes_a_missing_image_from_the_archive(kept, archives, client):
    image = read_lock(kept).images["baselines/first"]
    export_images(kept, archives, ["baselines/first"], quiet)
    forget(client, image)
    shutil.rmtree(kept / "runs/images/oci")
    ensure_present(client, kept, image)
    assert client.images.get(image.image_id).id == image.image_id


def test_a_run_without_image_and_archive_is_told_what_to_do(kept, client):
    image = msgspec.structs.replace(
        read_lock(kept).images["baselines/first"], image_id="sha256:" + "0" * 64
    )
    with pytest.raises(EngineError, match="run `tonegap image build baselines/first`, or"):
        ensure_present(client, kept, image)


@pytest.mark.skipif("podman" not in PRODUCTS, reason="TONEGAP_TEST_PODMAN is not set")
def test_podman_takes_the_same_ids(kept, monkeypatch):
    with own_engine("podman") as podman:
        monkeypatch.setenv("DOCKER_HOST", podman.host)
        load_images(kept, NAMES, quiet)
        with connected() as client:
            for name in NAMES:
                image_id = read_lock(kept).images[name].image_id
                assert client.images.get(image_id).id == image_id


def test_no_container_is_left(built, client):
    assert client.containers.list(all=True, filters={"label": "tonegap.role=look"}) == []
