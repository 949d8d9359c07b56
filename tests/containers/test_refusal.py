"""A run takes a missing image from its archive, and refuses one that is not the lock's to the byte."""

import json
import shutil

import pytest
from tiny_rooms import toml

pytestmark = [pytest.mark.container, pytest.mark.slow]
NAME = "baselines/class-prior"


@pytest.fixture
def suite(tmp_path):
    """One entry, whose baseline needs no torch to say how often each class is."""
    entries = [{"methods": ["none"], "baselines": [NAME.split("/")[1]]}]
    path = tmp_path / "one.toml"
    fields = {"title": "One", "about": "for tests", "tasks": ["phantom/smoke"], "seeds": [0]}
    path.write_text(toml({**fields, "entries": entries}))
    return path


@pytest.fixture
def archive(tonegap, images, client):
    """The archive of an image that neither the engine nor the suite root has any more."""
    tonegap.done("image", "export", tonegap.root / "docker" / "archives", NAME)
    lock = json.loads((tonegap.root / "docker" / "images.lock.json").read_text())
    client.images.remove(lock["images"][NAME]["image_id"], force=True)
    (tonegap.root / "runs" / "images" / "oci").rename(tonegap.root / "aside")
    path = tonegap.root / "docker" / "archives" / "images.oci.tar"
    yield path
    shutil.rmtree(tonegap.root / "runs" / "images" / "oci")
    (tonegap.root / "aside").rename(tonegap.root / "runs" / "images" / "oci")
    path.unlink()


def flip(path, place):
    """Changes one bit of a file in place."""
    with path.open("r+b") as f:
        f.seek(place)
        byte = f.read(1)[0]
        f.seek(place)
        f.write(bytes([byte ^ 1]))


def test_an_archive_with_one_flipped_byte_is_refused_by_name_before_anything_runs(
    tonegap, suite, archive, tmp_path
):
    run = ("run", suite, "--store", tmp_path / "store", "--engine", "docker")
    place = archive.stat().st_size // 2
    flip(archive, place)
    refused = tonegap(*run)
    flip(archive, place)
    assert refused.returncode == 2
    said = refused.stderr.strip().splitlines()[-1]
    assert said.startswith(f"error: {NAME}: {archive} is refused")
    assert not list((tmp_path / "store" / "stages").glob("*/*"))

    assert "1 run finished" in tonegap.done(*run)
