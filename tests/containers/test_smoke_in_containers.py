"""The smoke suite gives the same predictions in containers as in plain processes, cell by cell."""

import json
from pathlib import Path

import pytest
from engine_fixtures import containers
from real_rooms import SMALL, marks

pytestmark = [pytest.mark.container, pytest.mark.slow]


def predictions(store: Path) -> dict[str, tuple[str, object]]:
    """Predictions and synthetic set by what a cell is, whatever ran it."""
    found = {}
    for path in (store / "records").glob("*.json"):
        record = json.loads(path.read_text())
        cell = json.dumps([record["task"], record["seed"], record["entry"]], sort_keys=True)
        found[cell] = (record["predictions_sha256"], record["synthetic"])
    return found


def cells(store: Path) -> int:
    """How many cells the store's one suite has."""
    (matrix,) = (store / "suites").glob("*.json")
    return len(json.loads(matrix.read_text())["cells"])


def test_predictions_and_synthetic_images_are_those_of_the_local_engine(local, contained):
    found = predictions(contained)
    assert len(found) == cells(contained)
    assert found == predictions(local)


def test_every_stage_ran_in_a_container_under_its_limits(contained, images):
    found = marks(contained)
    assert {mark["plugin"] for mark in found} == set(images)
    for mark in found:
        isolation = mark["isolation"]
        assert isolation["contained"]
        assert isolation["network"] == "none"
        for limit in ("time", "memory", "swap", "processors", "processes"):
            assert isolation["limits"][limit].endswith("enforced")


def test_each_stage_names_its_image_and_the_packages_bound_to_it(contained):
    for mark in marks(contained):
        assert {"image", "image content", "bound packages", "torch"} <= set(mark["versions"])


def test_the_same_command_again_runs_nothing(tonegap, contained):
    said = tonegap.done("run", "smoke", *SMALL, "--store", contained, "--engine", "docker")
    assert "0 stages run" in said


def test_nothing_is_left_of_the_run(contained, client):
    assert containers(client) == []
    assert list((contained / "work").iterdir()) == []
    assert str(contained) not in Path("/proc/self/mounts").read_text()
