"""A few stages of each kind of plug-in in the pinned images, run by Apptainer as an ordinary user."""

import os
import shutil
from pathlib import Path

import pytest
from real_rooms import Program, copied_rooms

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
