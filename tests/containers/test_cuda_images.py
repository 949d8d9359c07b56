"""Images with CUDA inside: written from hash locks without a registry, given to an engine, and run on the CPU."""

import json
import shutil
from pathlib import Path

import pytest
from real_rooms import Program, marks

pytestmark = [pytest.mark.container, pytest.mark.slow]

# Two methods and two baselines on the real photographs, one epoch.
SUITE = """\
title = "Images with CUDA"
about = "A few stages of each kind of plug-in."
tasks = ["pad-ufes-20-sample/malignant"]
seeds = [0]
numerics = "portable"
[[entries]]
methods = ["none", "tone-shift"]
baselines = ["erm", "class-prior"]
backbones = ["cnn4"]
[parameters.methods]
image_size_px = 64
[parameters.baselines]
image_size_px = 64
epochs = 1
batch = 32
[limits]
timeout_s = 600
memory_mib = 4096
output_mib = 512
"""
LOCK = Path("docker/images.lock.json")


@pytest.fixture(scope="module")
def images(tonegap_cuda: Program, host: str) -> dict[str, dict]:
    """What is locked of the images that the suite needs; the base is the default, torch with CUDA from wheels."""
    suite = tonegap_cuda.root / "benchmarks" / "suites" / "few.toml"
    suite.write_text(SUITE)
    tonegap_cuda.done("image", "build", "--suite", "few")
    images: dict[str, dict] = json.loads((tonegap_cuda.root / LOCK).read_text())["images"]
    return images


@pytest.fixture(scope="module")
def stores(
    tonegap_cuda: Program, images: dict[str, dict], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Path]:
    """The suite run in these images, and as plain processes."""
    found = {name: tmp_path_factory.mktemp(name) / "runs" for name in ("docker", "local")}
    for engine, store in found.items():
        tonegap_cuda.done("run", "few", "--store", store, "--engine", engine)
    return found


def test_images_hold_torch_with_cuda_and_nothing_of_this_machine(images):
    assert set(images) == {
        "base-local", "base-torch", "base-cuda", "methods/tone-shift", "baselines/erm", "baselines/class-prior",
    }  # fmt: skip
    versions = images["base-cuda"]["versions"]
    assert {"torch", "cuda-toolkit", "nvidia-cudnn-cu13", "nvidia-nccl-cu13"} <= set(versions)
    assert all(image["environment"] is None for image in images.values())


def test_predictions_are_those_of_plain_processes(stores):
    found = {engine: records(store) for engine, store in stores.items()}
    assert len(found["docker"]) == 4
    assert found["docker"] == found["local"]


def test_each_stage_names_its_image_and_cuda(stores, images):
    found = marks(stores["docker"])
    assert {mark["plugin"] for mark in found} == set(images) - {
        "base-local",
        "base-torch",
        "base-cuda",
    }
    for mark in found:
        assert mark["isolation"]["contained"]
        assert mark["versions"]["image"] == images[mark["plugin"]]["image_id"]
        assert mark["versions"]["cuda-toolkit"] == images["base-cuda"]["versions"]["cuda-toolkit"]


def test_a_further_plug_in_is_a_small_layer_on_what_is_there(tonegap_cuda, images):
    shutil.copytree(
        tonegap_cuda.root / "baselines" / "resample",
        tonegap_cuda.root / "baselines" / "resample-again",
    )
    layout = tonegap_cuda.root / "runs" / "images" / "oci" / "blobs"
    before = sum(path.stat().st_size for path in layout.rglob("*") if path.is_file())
    tonegap_cuda.done("image", "build", "baselines/resample-again")
    after = sum(path.stat().st_size for path in layout.rglob("*") if path.is_file())
    assert before > 2 << 30
    assert 0 < after - before < 1 << 20


def records(store: Path) -> dict[str, tuple[str, object]]:
    """Predictions and synthetic set by entry."""
    found = {}
    for path in (store / "records").glob("*.json"):
        record = json.loads(path.read_text())
        made = record["synthetic"] and record["synthetic"]["sha256"]
        found[json.dumps(record["entry"], sort_keys=True)] = (record["predictions_sha256"], made)
    return found
