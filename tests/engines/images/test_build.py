"""Images built for real, on a base made from Debian's packages, by the engine that is here."""

import shutil

import docker
import msgspec
import pytest
from click.testing import CliRunner
from images_root import make_environment, make_root, write
from own_engine import PRODUCTS, own_engine
from own_engine import build as build_small
from small_wheel import locked_wheel

from tonegap.cli.image import command
from tonegap.declared.plugin import read_plugin
from tonegap.engines.docker.daemon import connected
from tonegap.engines.images.build import BuildRequest, build_images, lock_from_engine
from tonegap.engines.images.client import look_inside
from tonegap.engines.images.resolve import image_of
from tonegap.engines.images.transport import (
    archive_path,
    archives_folder,
    ensure_present,
    export_images,
    import_images,
)
from tonegap.engines.images.verify import list_images, verify_images
from tonegap.errors import EngineError
from tonegap.formats.image_lock import read_lock, write_lock

pytestmark = [pytest.mark.container, pytest.mark.slow]
NAMES = ("baselines/first", "baselines/second")
OWN = """\
ARG BASE_IMAGE
FROM ${BASE_IMAGE} AS build
USER root
COPY requirements.txt /requirements.txt
COPY wheelhouse /wheelhouse
RUN sh /opt/tonegap/install.sh /requirements.txt /opt/own
FROM ${BASE_IMAGE}
COPY --from=build /opt/own /opt/own
ENV PYTHONPATH=/opt/own:${PYTHONPATH}
"""


def build(root, *names, **more):
    """The lock after a build, and what was said."""
    said = []
    lock = build_images(root, BuildRequest(names, "local", **more), said.append)
    return lock, said


@pytest.fixture(scope="module")
def built(engine, tmp_path_factory):
    """A root whose two baselines have images, with a bound environment that pretends to be torch."""
    folder = tmp_path_factory.mktemp("built")
    root = make_root(folder / "root")
    environment = make_environment(folder / "site-packages")
    build(root, *NAMES, environment=environment)
    yield root
    with connected() as found:
        for name in ("first", "second", "pinned"):  # the bases stay: other tests stand on the same
            for image in found.images.list(f"tonegap/baselines/{name}"):
                found.images.remove(image.id, force=True)


@pytest.fixture
def kept(built):
    """The root as built; a test may change its lock."""
    before = read_lock(built)
    yield built
    write_lock(built, before)


@pytest.fixture
def client(engine):
    with connected() as found:
        yield found


def run(client, image_id, *command):
    return client.containers.run(image_id, list(command), network_mode="none", remove=True).decode()


def test_each_image_stands_on_the_one_before(built):
    images = read_lock(built).images
    line = [(name, images[name].base) for name in images]
    assert line == [
        ("base-cuda", "base-local"), ("base-local", ""),
        ("baselines/first", "base-cuda"), ("baselines/second", "base-cuda"),
    ]  # fmt: skip
    assert images["baselines/first"].base_id == images["base-cuda"].image_id
    assert images["base-cuda"].base_id == images["base-local"].image_id


def test_versions_are_those_seen_inside(built):
    images = read_lock(built).images
    versions = images["baselines/first"].versions
    assert (versions["torch"], versions["numpy"]) == ("9.1", "2.4.6")
    assert versions["python"].startswith("3.11.")
    assert "python3" in images["base-local"].debian
    assert images["base-cuda"].debian == {}


def test_the_environment_is_bound_and_not_in_the_image(built, client):
    image = image_of(built, read_plugin(built, "baseline", "first"))
    assert image.environment.versions == {"torch": "9.1", "torchvision": "8.1"}
    with pytest.raises(EngineError, match="No module named 'torch'"):
        look_inside(client, image.image_id, None, ["torch"], [])


def test_a_stage_is_nobody_special_and_finds_kit_and_packages(built, client):
    image_id = read_lock(built).images["baselines/first"].image_id
    code = (
        "import getpass, os, numpy, pyarrow, tonegap_kit.job; print(os.getuid(), getpass.getuser())"
    )
    assert run(client, image_id, "python", "-c", code) == "1000 runner\n"
    assert run(client, image_id, "cat", "train.py") == "print('first')\n"
    assert "python3" in run(client, image_id, "cat", "/etc/tonegap/apt.txt")


def test_building_again_builds_nothing(kept):
    before = read_lock(kept)
    lock, said = build(kept, *NAMES)
    assert lock == before
    assert [line.split(", ")[0].split(": ")[1] for line in said] == ["current"] * 4


def test_a_changed_plug_in_rebuilds_its_image_alone(kept):
    path, before = kept / "baselines/second/train.py", read_lock(kept)
    text = path.read_text()
    try:
        write(path, "print('other')\n")
        lock, _ = build(kept, *NAMES)
    finally:
        write(path, text)
    assert {name for name in lock.images if lock.images[name] != before.images[name]} == {
        "baselines/second"
    }


def test_a_lost_lock_is_made_anew_from_the_engine(kept):
    before = read_lock(kept)
    write_lock(kept, before.with_image(before.images["base-cuda"]))
    found = lock_from_engine(kept, None, lambda _said: None)
    # An engine that others use as well may hold more images of these very sources.
    assert {name: found.images[name] for name in before.images} == before.images


def test_another_environment_is_proved_without_a_build(kept, tmp_path):
    other = make_environment(tmp_path / "site", {"torch": "9.2", "torchvision": "8.1"})
    lock, said = build(kept, "baselines/first", environment=other)
    assert not any("building" in line for line in said)
    assert lock.images["baselines/first"].versions["torch"] == "9.2"


def test_an_environment_without_torch_is_refused(kept, tmp_path):
    empty = make_environment(tmp_path / "site", {"torchvision": "8.1"})
    with pytest.raises(EngineError, match=r"base-cuda: .*No module named 'torch'"):
        build(kept, "baselines/first", environment=empty)


def test_a_base_that_is_not_here_is_never_pulled(kept):
    pin = "somewhere.invalid/torch@sha256:" + "a" * 64
    with pytest.raises(EngineError, match=f"nothing is pulled unasked.*docker pull {pin}"):
        build_images(kept, BuildRequest(("baselines/first",), pin), lambda _said: None)


def test_a_build_that_fails_says_its_last_words_and_leaves_the_lock(kept):
    before = read_lock(kept)
    path = kept / "baselines/second/Dockerfile"
    text = path.read_text()
    try:
        write(path, text + "RUN echo something went wrong && exit 3\n")
        with pytest.raises(EngineError, match="something went wrong"):
            build(kept, *NAMES)
    finally:
        write(path, text)
    assert read_lock(kept) == before


def test_what_an_image_pins_wins_over_what_is_bound(kept, tmp_path, client):
    folder = kept / "baselines/pinned"
    write(folder / "baseline.toml", (kept / "baselines/first/baseline.toml").read_text())
    write(folder / "Dockerfile", OWN)
    locked_wheel(folder, "drawn", "1.0")
    environment = make_environment(
        tmp_path / "site", {"torch": "9.1", "torchvision": "8.1", "drawn": "2.0", "bound": "3.0"}
    )
    try:
        lock, _ = build(kept, "baselines/pinned", environment=environment)
    finally:
        for path in folder.iterdir():
            path.unlink()
        folder.rmdir()
    image = lock.images["baselines/pinned"]
    assert image.versions["drawn"] == "1.0"
    seen = look_inside(client, image.image_id, image.environment, ["bound"], ["drawn", "bound"])
    assert {name: seen.versions[name] for name in ("drawn", "bound")} == {
        "drawn": "1.0",
        "bound": "3.0",
    }


def test_lock_sources_and_engine_agree_after_a_build(built):
    assert verify_images(built, NAMES) == []


def test_verify_names_each_image_that_is_not_what_the_lock_says(kept):
    lock = read_lock(kept)
    first, second = (lock.images[name] for name in NAMES)
    lock = lock.with_image(msgspec.structs.replace(first, content_sha256="0" * 64))
    lock = lock.with_image(msgspec.structs.replace(second, image_id="sha256:" + "0" * 64))
    write_lock(kept, lock)
    found = verify_images(kept, NAMES)
    assert [text.split(": ")[0] for text in found] == ["baselines/second", "baselines/first"]
    assert "is not on this engine" in found[0]
    assert f"wanted {'0' * 64} as locked" in found[1]


def test_the_command_ends_with_code_2_where_an_image_has_changed_sources(kept):
    path = kept / "baselines/second/train.py"
    text = path.read_text()
    try:
        write(path, "print('other')\n")
        done = CliRunner().invoke(command, ["verify", "--suite-root", str(kept), *NAMES])
    finally:
        write(path, text)
    assert done.exit_code == 2
    assert "baselines/second: its sources changed since its image was built" in done.stderr


def test_the_list_says_of_every_image_how_it_stands(built):
    states = {state.name: state.state for state in list_images(built)}
    assert states == {
        "base-cuda": "current", "base-diffusion": "not built", "base-local": "current",
        "baselines/first": "current", "baselines/second": "current", "methods/drawn": "not built",
    }  # fmt: skip


def forget(client, image):
    client.images.remove(image.image_id, force=True)
    with pytest.raises(docker.errors.ImageNotFound):
        client.images.get(image.image_id)


@pytest.fixture
def archives(kept):
    """Where runs look for archives; they are too large to be left lying about."""
    yield archives_folder(kept)
    shutil.rmtree(archives_folder(kept))


def test_an_archive_brings_an_image_back_and_one_flipped_byte_does_not(kept, archives, client):
    lock = export_images(kept, archives, ["baselines/first"], lambda _said: None)
    image, path = lock.images["baselines/first"], archive_path(archives, "baselines/first")
    forget(client, image)
    content = path.read_bytes()
    path.write_bytes(content[:5_000_000] + bytes([content[5_000_000] ^ 1]) + content[5_000_001:])
    with pytest.raises(EngineError, match=r"baselines/first: .* is refused"):
        import_images(kept, archives, [], lambda _said: None)
    assert client.images.list(filters={"reference": "tonegap/baselines/first"}) == []
    path.write_bytes(content)
    import_images(kept, archives, [], lambda _said: None)
    assert client.images.get(image.image_id).id == image.image_id
    assert verify_images(kept, ["baselines/first"]) == []


def test_a_run_takes_a_missing_image_from_its_archive(kept, archives, client):
    lock = export_images(kept, archives, ["baselines/first"], lambda _said: None)
    image = lock.images["baselines/first"]
    forget(client, image)
    ensure_present(client, kept, image)
    assert client.images.get(image.image_id).id == image.image_id


@pytest.mark.skipif("podman" not in PRODUCTS, reason="TONEGAP_TEST_PODMAN is not set")
def test_podman_builds_the_same_content(kept, archives, monkeypatch):
    export_images(kept, archives, ["base-local"], lambda _said: None)
    with own_engine("podman") as podman:
        monkeypatch.setenv("DOCKER_HOST", podman.host)
        before = read_lock(kept)
        import_images(kept, archives, ["base-local"], lambda _said: None)
        lock, _ = build(kept, "baselines/first")
        assert verify_images(kept, ["baselines/first"]) == []
    for name in ("base-local", "base-cuda", "baselines/first"):
        assert lock.images[name].content_sha256 == before.images[name].content_sha256
    assert lock.images["base-local"].image_id == before.images["base-local"].image_id


def test_a_foundation_that_has_torch_needs_no_environment(kept, tmp_path, client):
    packages = make_environment(tmp_path / "site")
    files = {
        path.relative_to(packages).as_posix(): path.read_bytes()
        for path in packages.rglob("*")
        if path.is_file()
    }
    below = read_lock(kept).images["base-local"].image_id
    into = "RUN cp -r /plugin/. /usr/lib/python3/dist-packages/"
    foundation = build_small(client, below, files, into)
    lock = build_images(kept, BuildRequest(("baselines/first",), foundation), lambda _said: None)
    image = lock.images["baselines/first"]
    assert (lock.images["base-cuda"].base, image.environment) == (foundation, None)
    assert image.versions["torch"] == "9.1"
    assert "python3" in lock.images["base-cuda"].debian
    assert image_of(kept, read_plugin(kept, "baseline", "first")) == image
    for found in ("baselines/first", "base-cuda"):
        client.images.remove(lock.images[found].image_id, force=True)


def test_a_run_without_image_and_archive_is_told_what_to_do(kept, client):
    image = msgspec.structs.replace(
        read_lock(kept).images["baselines/first"], image_id="sha256:" + "0" * 64
    )
    with pytest.raises(EngineError, match="run `tonegap image build baselines/first`, or"):
        ensure_present(client, kept, image)


def test_the_same_sources_build_to_the_same_content_from_nothing(kept):
    before = read_lock(kept).images
    lock, said = build(kept, "baselines/first", no_cache=True)
    after = lock.images
    for name in ("base-local", "base-cuda", "baselines/first"):
        assert after[name].content_sha256 == before[name].content_sha256
        assert f"{name}: the same content as before from the same sources" in said
    assert after["base-local"].image_id == before["base-local"].image_id
    assert after["base-cuda"].image_id != before["base-cuda"].image_id


def test_no_container_is_left(built, client):
    assert client.containers.list(all=True, filters={"label": "tonegap.role=look"}) == []
