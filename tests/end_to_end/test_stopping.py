"""Ctrl-C, TERM, HUP and KILL at random moments of drawing, indexing and running.

`TONEGAP_STOPS=20 pytest tests/end_to_end/test_stopping.py -s` tries twenty moments of each signal and prints a table.
"""

import json
import os
import signal
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from stopping import Stopped, finished, heir, moments, stopped, tonegap, wait_for_handlers
from tiny_rooms import GENERATE_PY, PROJECT, TRAIN_PY, Rooms, write_clinic

from tonegap.cli.interrupt import SAID
from tonegap.files import folder_digest

STOPS = int(os.environ.get("TONEGAP_STOPS", "4"))
# How long all of a stopped command may take to be gone; a machine under load gets more than the 2 s of the full trial.
GONE_S = 2.0 if "TONEGAP_STOPS" in os.environ else 6.0
SIGNALS = {
    "KILL": signal.SIGKILL,
    "TERM": signal.SIGTERM,
    "HUP": signal.SIGHUP,
    "INT": signal.SIGINT,
}
# Of twenty, five each while images are drawn and while they are indexed.
N_STOPS = {"draw": max(1, STOPS // 4), "index": max(1, STOPS // 4), "run": max(1, STOPS // 2)}
IN_A_ROW = 5  # stops of one place before it is finished
SLOW = "import time\ntime.sleep(0.3)\n"


@dataclass
class Work:
    """What a command makes in a fresh folder: its words, and what is there when it is finished."""

    name: str
    rooms: Rooms
    folder: Path
    results: dict[str, object] = field(default_factory=dict)
    seconds: float = 0.0

    def words(self, place: Path) -> list[object]:
        root = ("--suite-root", self.rooms.root)
        if self.name == "draw":
            return ["data", "phantom", "--n", 150, "--size", 32, "--out", place, "--workers", 2,
                    "--suite-root", PROJECT]  # fmt: skip
        if self.name == "index":
            return ["data", "check", "clinic", "--root", self.folder / "clinic", "--store", place,
                    "--workers", 2, "--json", *root]  # fmt: skip
        return ["run", "tiny", "--store", place, "--jobs", 2, *root]

    def finish(self, place: Path) -> dict[str, object]:
        """Runs the command to its end, and returns what is there then."""
        out, self.seconds = finished(self.words(place))
        if self.name == "draw":
            return {"digest": folder_digest(place)}
        if self.name == "index":
            return {"said": json.loads(out)}
        return _results(place)


def _results(store: Path) -> dict[str, object]:
    """What a store holds after a run but for circumstances, and that nothing else is left in it."""
    found: dict[str, object] = {}
    for path in sorted((store / "records").glob("[0-9a-f]*")):
        record = msgspec.json.decode(path.read_bytes())
        del record["circumstances"]
        found[path.name] = record
    for path in sorted((store / "packs").glob("[0-9a-f]*")):
        found[path.name] = path.read_bytes()
    found["failures"] = sorted(path.name for path in (store / "failures").iterdir())
    found["work"] = sorted(path.name for path in (store / "work").iterdir())
    return found


@pytest.fixture(scope="module")
def rooms(tmp_path_factory):
    """A suite root whose suite draws sixty images, indexes them and runs five stages."""
    rooms = Rooms(tmp_path_factory.mktemp("stopping") / "root")
    rooms.method("none")
    rooms.baseline("plain", SLOW + TRAIN_PY)
    rooms.drawn()
    rooms.method("grey", GENERATE_PY, parameters={"n": {"default": 3, "about": "images"}})
    rooms.baseline("other", SLOW + TRAIN_PY + "\n# not the same\n")
    rooms.suite(entries=[{"methods": ["none", "grey"], "baselines": ["plain", "other"]}])
    return rooms


@pytest.fixture(scope="module")
def works(rooms, tmp_path_factory):
    """Drawing, indexing and running, each done once undisturbed."""
    folder = tmp_path_factory.mktemp("works")
    rooms.clinic(folder / "clinic")
    write_clinic(folder / "clinic", 100)
    found = {}
    for name in ("draw", "index", "run"):
        work = found[name] = Work(name, rooms, folder)
        work.results = work.finish(folder / f"{name}-undisturbed")
    return found


@pytest.mark.parametrize("name", SIGNALS)
@pytest.mark.parametrize("work", N_STOPS)
def test_what_is_stopped_leaves_nobody_and_the_same_command_goes_on(works, work, name, tmp_path):
    work, n = works[work], N_STOPS[work]
    ends: list[Stopped] = []
    place, here = tmp_path / "0", 0
    for moment in moments(f"{work.name} {name}", work.seconds, n):
        with heir():
            ends.append(stopped(work.words(place), SIGNALS[name], moment))
        here += 1
        # A place that is finished has nothing left to stop.
        if here == IN_A_ROW or len(ends) == n or ends[-1].had_finished:
            assert work.finish(place) == work.results
            place, here = tmp_path / str(len(ends)), 0
    codes = sorted(end.code for end in ends)
    gone = sorted(round(end.gone_s, 2) for end in ends)
    sys.stdout.write(
        f"{work.name:5} {name:4} {n} stops, all equal: codes {codes}, gone after {gone} s\n"
    )
    for end in ends:
        _check_end(end, name)


def _check_end(end: Stopped, name: str) -> None:
    assert end.gone_s < GONE_S, end
    if end.had_finished:  # and was on its way out, where nobody listens any more
        assert end.code in {0, 130, -SIGNALS[name]}
    elif name == "KILL":
        assert end.code == -signal.SIGKILL
    else:
        assert end.code == 130, end
        assert SAID in end.said.splitlines()
        assert "Traceback" not in end.said


def test_a_second_signal_does_not_wait_for_a_stage(rooms, tmp_path):
    """A stage may take a while to answer TERM; whoever asks twice does not wait for it."""
    rooms.baseline(
        "stubborn",
        "import signal, time\nsignal.signal(15, signal.SIG_IGN)\n" + 600 * "time.sleep(1)\n",
    )
    rooms.suite("deaf", entries=[{"methods": ["none"], "baselines": ["stubborn"]}])
    store = tmp_path / "store"
    with heir():
        process = tonegap(["run", "deaf", "--store", store, "--suite-root", rooms.root])
        wait_for_handlers(process.pid)
        deadline = time.monotonic() + 60
        while not any(store.glob("work/*/log.txt")):
            assert time.monotonic() < deadline
            time.sleep(0.02)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        assert process.wait(10) == 130
        assert time.monotonic() - began < 0.5
        process.communicate()


def test_a_signal_that_is_ignored_stays_ignored(works, tmp_path):
    """`nohup tonegap run` goes on when its terminal closes."""
    work = works["index"]
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # inherited
    try:
        process = tonegap(work.words(tmp_path / "store"))
    finally:
        signal.signal(signal.SIGHUP, signal.SIG_DFL)
    wait_for_handlers(process.pid)
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert json.loads(out) == work.results["said"]
