"""A suite root with the project's kit and post-processors, and a baseline that runs in a blink."""

import shutil
from pathlib import Path

import pytest
from planner import Planner
from tiny_rooms import PROJECT, rooms, tonegap

__all__ = ["rooms", "tonegap"]


@pytest.fixture
def place(rooms, tmp_path: Path) -> Planner:
    """Plans entries of the suite `tiny` on 24 images; its kit and post-processors are the project's."""
    without = shutil.ignore_patterns("__pycache__")
    for name in ("docker/kit", "postprocessors"):
        shutil.copytree(PROJECT / name, rooms.root / name, dirs_exist_ok=True, ignore=without)
    rooms.baseline("plain")
    rooms.method("none")
    return Planner(rooms, tmp_path)
