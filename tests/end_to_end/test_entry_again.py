"""The suite file beside an entry's page asks for exactly that entry, as it ran."""

import json

import pytest
from tiny_rooms import GENERATE_PY, LEADERBOARD, TRAIN_PY

from tonegap.files import sha256_file


@pytest.fixture
def again(rooms, tonegap):
    """Runs a suite whose parameters came from three places; plans what a suite file beside a page says."""
    rooms.drawn()
    rooms.write("reports/leaderboard.toml", LEADERBOARD.replace("n_details = 0", "n_details = 9"))
    count = {"n": {"default": 2, "about": "how many"}}
    rooms.method("grey", GENERATE_PY, parameters=count)
    weights = {"weights": {"default": "none", "about": "where from", "kind": "file"}}
    weights["rate"] = {"default": 0.1, "about": "how fast"}
    rooms.baseline("given", TRAIN_PY, parameters=weights)
    path = rooms.write("models/start.pt", "weights")
    digest = sha256_file(path)
    rooms.suite(
        threads=2,
        seeds=[0, 3],
        entries=[
            {"methods": ["none"], "baselines": ["plain"]},
            {
                "methods": ["grey"],
                "baselines": ["given"],
                "variant": "few",
                "baseline_parameters": {"weights": f"models/start.pt#sha256={digest}"},
            },
        ],
    )
    where = ("--suite-root", rooms.root, "--store", rooms.root / "runs")
    assert tonegap("run", "tiny", *where, "--set", "methods/grey.n=3", "--jobs", 1) == 0, (
        tonegap.err
    )

    def plan(word):
        # With a parameter given by the way, the results have a name of their own.
        (file,) = (rooms.root / "runs/report").glob(f"tiny-*/entries/{word}*.toml")
        assert tonegap("plan", file, *where, "--json") == 0, tonegap.err
        return json.loads(tonegap.out)

    return plan


def test_nothing_is_left_to_run_where_the_results_are(again):
    for word in ("none-plain", "grey-given-few"):
        found = again(word)
        assert (found["runs"], found["cached"], found["stages"]) == (2, 2, [])


def test_an_unknown_entry_and_a_format_that_is_no_page_are_wrong_requests(again, rooms, tonegap):
    where = ("--suite-root", rooms.root, "--store", rooms.root / "runs")
    assert tonegap("report", *where, "--entry", "none + plane") == 2
    assert "most like it: none + plain" in tonegap.err
    assert tonegap("report", *where, "--entry", "none + plain", "--format", "csv") == 2
    assert "--entry makes a page in a folder" in tonegap.err
    assert tonegap("report", *where, "--entry", "none + plain", "--out", rooms.root / "one") == 0
    assert tonegap.out.strip().startswith(str(rooms.root / "one" / "entries" / "none-plain"))
