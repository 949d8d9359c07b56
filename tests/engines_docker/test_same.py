"""A suite gives the same numbers in containers as in plain processes."""

import json

import pytest
from container_run import build_images, run_suite
from own_engine import forget
from tiny_rooms import GENERATE_PY, Rooms

pytestmark = pytest.mark.container


def test_predictions_and_synthetic_images_are_those_of_the_local_engine(
    client, base, tmp_path, tonegap
):
    rooms = Rooms(tmp_path / "root")
    rooms.drawn()
    rooms.method("none")
    rooms.method("grey", GENERATE_PY, parameters={"n": {"default": 5, "about": "images"}})
    rooms.baseline("plain")
    suite = rooms.suite(entries=[{"methods": ["none", "grey"], "baselines": ["plain"]}])
    images = build_images(client, base, rooms.root)

    tally = run_suite(rooms.root, tmp_path / "contained", str(suite), images, 2)
    options = ("--suite-root", rooms.root, "--store", tmp_path / "local", "--engine", "local")
    code = tonegap("run", suite, *options)
    for image in images.values():
        forget(client, image)

    assert (tally.n_finished, tally.failures, code) == (2, (), 0)
    contained, local = (results(tmp_path / name) for name in ("contained", "local"))
    assert len(contained) == 2
    assert contained == local


def results(store):
    """Predictions and synthetic set of each record, by entry."""
    records = [json.loads(path.read_text()) for path in (store / "records").glob("*.json")]
    return {
        record["entry"]["method"]: (record["predictions_sha256"], record["synthetic"])
        for record in records
    }
