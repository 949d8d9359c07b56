"""The images' Python locks: by hash, about nobody's index, and in step with the local engine's."""

import re
import tomllib

import pytest
from images_root import PROJECT
from packaging.requirements import Requirement

from tonegap.engines.images.recipe import image_names, pinned_foundation, read_recipe
from tonegap.engines.local import kit_requirements, requirements

LOCKS = PROJECT / "docker" / "locks"
NAMES = ("kit", "torch", "diffusion")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ; .+)? \\$")
_HASH = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")


def lines(name):
    return (LOCKS / f"{name}.txt").read_text().splitlines()


def pins(path):
    found = (_PIN.match(line) for line in path.read_text().splitlines())
    return {match[1].lower(): match[2] for match in found if match}


@pytest.mark.parametrize("name", NAMES)
def test_every_line_is_a_pin_or_a_hash(name):
    assert [line for line in lines(name) if not (_PIN.match(line) or _HASH.match(line))] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_pin_has_a_hash(name):
    found = lines(name)
    after = [found[i + 1] for i, line in enumerate(found) if _PIN.match(line)]
    assert after
    assert all(_HASH.match(line) for line in after)


def test_the_kit_needs_its_lock_and_torch_and_no_more():
    wanted = set(kit_requirements(PROJECT / "docker" / "kit"))
    assert wanted - set(pins(LOCKS / "kit.txt")) == {"torch", "torchvision"}


@pytest.mark.parametrize("name", NAMES)
def test_containers_compute_with_the_versions_of_the_local_engine(name):
    inside, local = pins(LOCKS / f"{name}.txt"), pins(PROJECT / "requirements" / "run.txt")
    assert {package: local[package] for package in inside} == inside


def test_an_extra_brings_what_the_diffusion_base_has():
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extra = {Requirement(text).name for text in project["optional-dependencies"]["diffusion"]}
    assert set(requirements(LOCKS / "diffusion.in")) - {"torch"} <= extra


@pytest.mark.parametrize("name", ["diffusers", "transformers", "peft", "accelerate"])
def test_the_diffusion_base_has_what_it_is_for(name):
    assert name in pins(LOCKS / "diffusion.txt")


def test_no_package_is_locked_twice():
    locked = [package for name in NAMES for package in pins(LOCKS / f"{name}.txt")]
    assert len(locked) == len(set(locked))


def test_torch_is_locked_with_cuda_for_both_kinds_of_machines():
    pinned = pins(LOCKS / "torch.txt")
    assert {"torch", "torchvision", "cuda-toolkit", "nvidia-cudnn-cu13"} <= set(pinned)
    text = (LOCKS / "torch.txt").read_text()
    markers = [
        line
        for line in text.splitlines()
        if line.startswith("nvidia-") and "platform_machine" in line
    ]
    assert all("aarch64" in line and "x86_64" in line for line in markers)


def test_the_foundation_is_pinned_by_digest():
    assert re.fullmatch(r"\S+@sha256:[0-9a-f]{64}", pinned_foundation(PROJECT))


def test_every_image_of_the_project_has_a_recipe():
    names = image_names(PROJECT)
    assert {"base-local", "base-torch", "base-cuda", "base-diffusion"} < set(names)
    assert [read_recipe(PROJECT, name, "base-local").name for name in names] == names
