"""A suite on a small download with two baselines whose predictions follow from their parameters alone."""

import pytest
from tiny_rooms import TRAIN_PY, rooms, tonegap

__all__ = ["rooms", "tonegap"]

PARAMETERS = {
    "rate": {"default": 0.1, "about": "a rate"},
    "layers": {"default": 2, "about": "layers"},
    "way": {"default": "a", "about": "how", "choices": ["a", "b", "c"]},
}
SEARCH = {
    "rate": {"log_uniform": [0.001, 1.0]},
    "layers": {"integers": [1, 4]},
    "way": {"choices": ["a", "b"]},
}


class Clinic:
    """The suite root, its download, and `tonegap search` on them."""

    parameters = PARAMETERS

    def __init__(self, rooms, tonegap, folder):
        self.rooms, self.tonegap, self.download = rooms, tonegap, folder / "download"
        self.where = ("--suite-root", rooms.root, "--root", self.download, "--jobs", 1)
        rooms.clinic(self.download)
        rooms.baseline("first", TRAIN_PY, parameters=PARAMETERS, search=SEARCH)
        rooms.baseline("second", TRAIN_PY, parameters=PARAMETERS, search=SEARCH)
        rooms.baseline("chance", TRAIN_PY, control=True)
        self.suite()

    def suite(self, **fields):
        entry = {"methods": ["none"], "baselines": ["first", "second", "chance"]}
        self.rooms.suite(**{"tasks": ["clinic/two"], "entries": [entry], **fields})

    def search(self, *words):
        return self.tonegap("search", "tiny", *self.where, *words)


@pytest.fixture
def clinic(rooms, tonegap, tmp_path):
    return Clinic(rooms, tonegap, tmp_path)
