"""A suite in the pinned images by Apptainer, as an ordinary user: the records of bubblewrap on the same images.

Not those of plain processes, which have this machine's C library: Apptainer runs on newer systems than the images'
Debian 12, and single-precision functions of a newer glibc round otherwise. Not among the tests of `tox`:
`tox -e apptainer`, where Apptainer is on PATH, as a user who is not root. The images are built (that needs
mmdebstrap), or taken from the folder of an archive that TONEGAP_TEST_ARCHIVE names.
"""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from real_rooms import Program, copied_rooms, marks

SUITE = """\
title = "By Apptainer"
about = "A few stages of each kind of plug-in."
tasks = ["phantom/smoke"]
seeds = [0]
numerics = "portable"
threads = 1
[[entries]]
methods = ["none", "tone-shift"]
baselines = ["erm", "class-prior"]
backbones = ["cnn4"]
[parameters."baselines/erm"]
epochs = 1
[limits]
timeout_s = 600
memory_mib = 4096
output_mib = 512
"""
NEEDED = {"methods/tone-shift", "baselines/erm", "baselines/class-prior"}


@pytest.fixture(scope="session")
def tonegap(tmp_path_factory: pytest.TempPathFactory) -> Program:
    """The command line on a copy of the rooms that has the images of the suite `few`."""
    if shutil.which("apptainer") is None:
        pytest.skip("no apptainer on PATH")
    if os.geteuid() == 0:
        pytest.skip("Apptainer is meant for an ordinary user here")
    program = copied_rooms(tmp_path_factory.mktemp("rooms"))
    (program.root / "benchmarks" / "suites" / "few.toml").write_text(SUITE)
    archive = os.environ.get("TONEGAP_TEST_ARCHIVE")
    if archive:
        shutil.copy(Path(archive) / "images.lock.json", program.root / "docker")
        program.done("image", "import", archive)
    else:
        program.done("image", "build", "--base", "local", "--suite", "few")
    return program


@pytest.fixture(scope="session")
def stores(tonegap: Program, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The suite run by Apptainer, and by bubblewrap."""
    found = {name: tmp_path_factory.mktemp(name) / "runs" for name in ("apptainer", "bwrap")}
    for engine, store in found.items():
        tonegap.done("run", "few", "--subset", "60", "--store", store, "--engine", engine)
    return found


def test_records_are_those_of_bubblewrap(stores):
    found = {engine: records(store) for engine, store in stores.items()}
    assert len(found["apptainer"]) == 4
    assert found["apptainer"] == found["bwrap"]


def test_each_stage_names_its_image_and_the_walls_around_it(tonegap, stores):
    lock = json.loads((tonegap.root / "docker" / "images.lock.json").read_text())["images"]
    found = marks(stores["apptainer"])
    assert {mark["plugin"] for mark in found} == NEEDED
    for mark in found:
        assert mark["isolation"]["engine"] == "apptainer"
        assert mark["isolation"]["version"].startswith("Apptainer 1.")
        assert mark["isolation"]["network"] == "none"
        assert mark["versions"]["image"] == lock[mark["plugin"]]["image_id"]


def test_the_files_of_a_base_are_unpacked_once(tonegap, stores):
    lock = json.loads((tonegap.root / "docker" / "images.lock.json").read_text())["images"]
    assert len(records(stores["apptainer"])) == 4
    roots = tonegap.root / "runs" / "images" / "roots"
    shells = [
        roots / lock[name]["image_id"].removeprefix("sha256:") / "usr/bin/dash" for name in NEEDED
    ]
    assert len({shell.stat().st_ino for shell in shells}) == 1


def test_nothing_is_left_of_the_run(stores):
    assert list((stores["apptainer"] / "work").iterdir()) == []
    mounts = Path("/proc/self/mounts").read_text()
    assert str(stores["apptainer"]) not in mounts


def test_apptainer_opens_the_archive_of_one_image(tonegap, tmp_path):
    tonegap.done("image", "export", tmp_path, "baselines/class-prior")
    box = tmp_path / "box"
    built = subprocess.run(
        ["apptainer", "build", "--sandbox", box, f"oci-archive:{tmp_path}/images.oci.tar"],
        capture_output=True, text=True, check=False, env={**os.environ, "APPTAINER_CACHEDIR": str(tmp_path)},
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    assert (box / "plugin" / "train.py").is_file()
    assert (box / "kit").is_dir()


def records(store: Path) -> dict[str, tuple[str, object]]:
    """Predictions and synthetic set by the record's name, which is its key."""
    found = {}
    for path in (store / "records").glob("*.json"):
        record = json.loads(path.read_text())
        made = record["synthetic"] and record["synthetic"]["sha256"]
        found[path.stem] = (record["predictions_sha256"], made)
    return found
