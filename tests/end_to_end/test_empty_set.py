"""A method that makes no image passes, and the run and its report say so."""

from tiny_rooms import GENERATE_PY


def test_a_run_whose_method_made_nothing_passes_and_says_so_each_time(rooms, tonegap):
    rooms.drawn()
    rooms.method("grey", GENERATE_PY, parameters={"n": {"default": 0, "about": "how many"}})
    rooms.suite(entries=[{"methods": ["none", "grey"], "baselines": ["plain"]}], seeds=[0])
    where = ("--suite-root", rooms.root, "--store", rooms.root / "runs", "--jobs", 1)
    for _ in range(2):
        assert tonegap("run", "tiny", *where) == 0, tonegap.err
        (said,) = (line for line in tonegap.err.splitlines() if "synthetic images" in line)
        assert said.startswith("0 synthetic images were made: grey, ")
        assert said.endswith(" seed 0: what was trained saw real images alone")
    page = (rooms.root / "runs/report/tiny/index.html").read_text()
    assert "0 synthetic images were made, and real images alone trained: grey + plain" in page
    assert tonegap("run", "tiny", *where, "--set", "methods/grey.n=1") == 0, tonegap.err
    assert "synthetic images were made" not in tonegap.err
