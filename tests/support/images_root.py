"""A small suite root with the real docker/ folder, and small environments to bind."""

import shutil
from pathlib import Path

from small_wheel import lock_wheels

PROJECT = Path(__file__).parents[2]
DOCKERFILE = "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY . /plugin\nWORKDIR /plugin\n"
BASELINE = """\
title = "Plain"
about = "for tests"
command = ["python", "train.py"]
stages = ["train"]
"""
METHOD = BASELINE.replace('"train"]', '"generate"]')
_FAKE = {"torch": "9.1", "torchvision": "8.1"}


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def make_root(folder):
    """A suite root with two baselines, a method on base-diffusion, and a method without stages."""
    write(folder / "pyproject.toml", "[tool.tonegap]\n")
    left_out = shutil.ignore_patterns("__pycache__", "*.lock.json", "archives")
    shutil.copytree(PROJECT / "docker", folder / "docker", ignore=left_out)
    for name in ("first", "second"):
        write(folder / "baselines" / name / "baseline.toml", BASELINE)
        write(folder / "baselines" / name / "Dockerfile", DOCKERFILE)
        write(folder / "baselines" / name / "train.py", f"print({name!r})\n")
    write(folder / "methods" / "drawn" / "method.toml", METHOD)
    on_diffusion = DOCKERFILE.replace("BASE_IMAGE\n", "BASE_IMAGE=base-diffusion\n", 1)
    write(folder / "methods" / "drawn" / "Dockerfile", on_diffusion)
    write(folder / "methods" / "bare" / "method.toml", 'title = "Bare"\nabout = "for tests"\n')
    return folder


def make_environment(folder, packages=_FAKE):
    """A folder of Python packages in which nothing is but these."""
    for name, version in packages.items():
        write(folder / name / "__init__.py", f"__version__ = {version!r}\n")
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        write(folder / f"{name}-{version}.dist-info" / "METADATA", metadata)
    return folder


def make_small(folder, wheels, root_tar):
    """As `make_root`, on a root file system that is there already, with locks of tiny wheels in a folder."""
    make_root(folder)
    locks = folder / "docker" / "locks"
    kit = {"numpy": "2.0", "pillow": "11.0", "pyarrow": "17.0", "safetensors": "0.5"}
    lock_wheels(locks / "kit.txt", wheels, kit)
    lock_wheels(locks / "torch.txt", wheels, {"torch": "9.1", "torchvision": "8.1"})
    lock_wheels(locks / "diffusion.txt", wheels, {"diffusers": "1.0"})
    write(folder / "docker" / "base-local" / "rootfs.sh", f'cp {root_tar} "$1"\n')
    return folder
