"""A suite in the pinned images by Apptainer, as an ordinary user: the records of bubblewrap on the same images.

Not those of plain processes, which have this machine's C library: Apptainer runs on newer systems than the images'
Debian 12, and single-precision functions of a newer glibc round otherwise. Not among the tests of `tox`:
`tox -e apptainer`, where Apptainer is on PATH, as a user who is not root. The images are built (that needs
mmdebstrap), or taken from the folder of an archive that TONEGAP_TEST_ARCHIVE names.
"""

import json
import os
import subprocess
from pathlib import Path

from real_rooms import marks, predictions

NEEDED = {"methods/tone-shift", "baselines/erm", "baselines/class-prior"}


def test_records_are_those_of_bubblewrap(stores):
    found = {engine: predictions(store) for engine, store in stores.items()}
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
    assert len(predictions(stores["apptainer"])) == 4
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
