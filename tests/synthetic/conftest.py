"""A suite root with a small clinic, see tests/support/tiny_rooms.py and faces.py."""

from pathlib import Path

import pytest
from faces import write_faces
from tiny_rooms import Rooms, rooms, tonegap

__all__ = ["rooms", "tonegap"]


@pytest.fixture
def download(rooms: Rooms, tmp_path: Path) -> Path:
    """The download of the data set `clinic`, whose rooms are there."""
    rooms.clinic(tmp_path / "unused")
    write_faces(tmp_path / "download")
    return tmp_path / "download"
