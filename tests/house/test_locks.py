"""The locks in requirements/ say what pyproject.toml asks for, by hash, and nothing about anybody's index."""

import re
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = ("run", "no-torch", "test", "lint", "tox")

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)(?: ; .+)? \\$", re.MULTILINE)


def project():
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def text_of(lock):
    return (ROOT / "requirements" / f"{lock}.txt").read_text(encoding="utf-8")


def pins_of(lock):
    return {name.lower(): version for name, version in _PIN.findall(text_of(lock))}


def asked_for():
    """(lock, requirement) for every direct dependency."""
    core = project()["project"]
    extras = core["optional-dependencies"]
    run = [*core["dependencies"], *extras["local"], *extras["diffusion"]]
    groups = project()["dependency-groups"]
    found = [("run", text) for text in run if not text.startswith("tonegap[")]
    return found + [(name, text) for name, texts in groups.items() for text in texts]


@pytest.mark.parametrize(("lock", "text"), asked_for())
def test_every_dependency_is_locked_in_the_range_that_is_asked_for(lock, text):
    wanted = Requirement(text)
    assert wanted.specifier.contains(pins_of(lock)[wanted.name.lower()])


@pytest.mark.parametrize("lock", LOCKS)
def test_every_line_of_a_lock_is_a_pin_or_a_hash(lock):
    hash_ = re.compile(r"^    --hash=sha256:[0-9a-f]{64}( \\)?$")
    others = [
        line for line in text_of(lock).splitlines() if not (hash_.match(line) or _PIN.match(line))
    ]
    assert others == []


@pytest.mark.parametrize("lock", LOCKS)
def test_every_pin_has_a_hash(lock):
    lines = text_of(lock).splitlines()
    after_pins = [lines[i + 1] for i, line in enumerate(lines) if "==" in line]
    assert all(line.startswith("    --hash=sha256:") for line in after_pins)


@pytest.mark.parametrize("lock", ["test", "lint", "tox"])
def test_locks_that_are_installed_together_agree(lock):
    run, other = pins_of("run"), pins_of(lock)
    shared = run.keys() & other.keys()
    assert {name: other[name] for name in shared} == {name: run[name] for name in shared}


def test_the_local_engine_installs_what_the_kit_asks_for():
    kit = (ROOT / "docker" / "kit" / "requirements.in").read_text(encoding="utf-8").splitlines()
    wanted = {Requirement(line).name for line in kit if line and not line.startswith("#")}
    core = project()["project"]
    declared = [*core["dependencies"], *core["optional-dependencies"]["local"]]
    assert wanted <= {Requirement(text).name for text in declared}


def test_the_constraint_for_machines_without_a_gpu_refuses_the_build_that_is_locked():
    lines = (ROOT / "requirements" / "no-cuda.txt").read_text(encoding="utf-8").splitlines()
    (text,) = [line for line in lines if not line.startswith("#")]
    refused = Requirement(text)
    assert not refused.specifier.contains(pins_of("run")[refused.name])


def test_the_lock_without_torch_has_all_else_that_runs_need():
    run, rest = pins_of("run"), pins_of("no-torch")
    assert rest.items() <= run.items()
    left_out = run.keys() - rest.keys()
    assert {"torch", "torchvision", "triton"} <= left_out
    assert all(name.startswith(("torch", "triton", "nvidia-", "cuda-")) for name in left_out)


def test_the_lock_without_torch_is_what_lock_sh_makes_of_the_other():
    text = (ROOT / "requirements" / "lock.sh").read_text(encoding="utf-8")
    (line,) = [line for line in text.splitlines() if line.startswith("awk ")]
    made = subprocess.run(
        ["bash", "-c", line.removesuffix(">no-torch.txt")],
        cwd=ROOT / "requirements",
        capture_output=True,
        check=True,
    )
    assert made.stdout.decode() == text_of("no-torch")
