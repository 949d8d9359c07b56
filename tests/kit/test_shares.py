import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tonegap_kit.command import Stage
from tonegap_kit.errors import StageError
from tonegap_kit.shares import BatchShare, put_together

KIT = Path(__file__).parents[2] / "docker" / "kit"
# A plug-in of nine plain images, three of one class and six of the other, sampled two at a time.
PROGRAM = """
import os, signal, sys, time
sys.path.insert(0, {kit!r})
import numpy as np
from tonegap_kit.command import main, tell_device
from tonegap_kit.errors import StageError
from tonegap_kit.predictions import write_notes
from tonegap_kit.synthetic import SyntheticImage, write_synthetic

def made(stage):
    tell_device("GPU-" + os.environ["CUDA_VISIBLE_DEVICES"])
    for y, n in ((0, 3), (1, 6)):
        for k in stage.share.take(range(n), 2):
            {each}
            grey = np.full((8, 8, 3), 10 * y + k, np.uint8)
            yield SyntheticImage(f"{{y}}-{{k}}", grey, stage.job.classes[y], None, ())

def generate(stage):
    write_synthetic(stage, made(stage), 9, [])
    write_notes(stage.out, {{"skipped": {{}}}})

main(generate=generate)
"""


@pytest.mark.parametrize(
    ("n", "wanted"),
    [
        (1, [[0, 1, 2, 10, 11, 12, 13, 14]]),
        # Batches in turn, also from one class to the next: {0,1} {2} {10,11} {12,13} {14}.
        (2, [[0, 1, 10, 11, 14], [2, 12, 13]]),
        (3, [[0, 1, 12, 13], [2, 14], [10, 11]]),
    ],
)
def test_batches_go_to_the_processes_in_turn(n: int, wanted: list[list[int]]) -> None:
    shares = [BatchShare(k, n) for k in range(n)]
    taken = [share.take([0, 1, 2], 2) + share.take(range(10, 15), 2) for share in shares]
    assert taken == wanted
    places = [(0, 1, 2, 10, 11, 12, 13, 14).index(one) for own in taken for one in own]
    assert [place for share in shares for place in share.places] == places


Spread = Callable[..., int]


@pytest.fixture
def spreading(make_stage: Callable[..., Stage], tmp_path: Path) -> Spread:
    """Runs the program, with a line for each image, as a stage that has as many GPUs; it touches none."""

    def run(n: int, each: str = "pass") -> int:
        stage = make_stage(stage="generate", device="cuda")
        program = tmp_path / "program.py"
        program.write_text(PROGRAM.format(kit=str(KIT), each=each))
        argv = [sys.executable, str(program), "generate", "--in", str(stage.inputs)]
        variables = os.environ | {"CUDA_VISIBLE_DEVICES": ",".join(map(str, range(n)))}
        return subprocess.run([*argv, "--out", str(stage.out)], env=variables).returncode

    return run


def _left(out: Path) -> dict[str, bytes]:
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file()
    }


def test_several_processes_leave_what_one_leaves(
    spreading: Spread, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert spreading(1) == 0
    alone = _left(tmp_path / "out")
    capfd.readouterr()
    (tmp_path / "out").rename(tmp_path / "alone")
    (tmp_path / "out").mkdir()
    assert spreading(3) == 0
    assert _left(tmp_path / "out") == alone
    assert len(alone) == 11  # nine images, the table, notes
    said = capfd.readouterr().err.splitlines()
    devices = [line for line in said if line.startswith("tonegap-device ")]
    assert devices[-1] == "tonegap-device GPU-0; GPU-1; GPU-2"
    done = [int(line.split()[1]) for line in said if line.startswith("tonegap-progress ")]
    assert done == sorted(done)
    assert done[-1] == 9


def test_the_first_that_fails_ends_all(
    spreading: Spread, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    fails = 'if os.environ["CUDA_VISIBLE_DEVICES"] == "1": raise StageError("no room")'
    assert spreading(2, f"time.sleep(1)\n            {fails}\n            time.sleep(60)") == 1
    assert capfd.readouterr().err.splitlines()[-1] == "error: no room"
    assert not (tmp_path / "out" / "synthetic.csv").exists()


def test_one_that_is_killed_is_told(spreading: Spread, capfd: pytest.CaptureFixture[str]) -> None:
    assert spreading(2, "os.kill(os.getpid(), signal.SIGKILL)") == 137
    assert "was ended by signal 9" in capfd.readouterr().err


@pytest.mark.parametrize(
    "said",
    [
        'sys.stderr.write("tonegap-progress x\\ntonegap-progress 1 of 9\\n")',
        'sys.stderr.buffer.write(b"\\xff\\xfe\\n" + b"z" * 300_000)',
        'import subprocess; subprocess.Popen(["sleep", "20"])',
    ],
)
def test_what_one_process_may_say_and_leave_running_several_may(
    spreading: Spread, tmp_path: Path, said: str
) -> None:
    began = time.monotonic()
    assert spreading(2, said) == 0
    assert len(_left(tmp_path / "out")) == 11
    assert time.monotonic() - began < 15  # what is left running holds nobody up


def test_the_last_line_is_of_the_process_that_failed(
    spreading: Spread, capfd: pytest.CaptureFixture[str]
) -> None:
    talks = 'time.sleep(0.2); sys.stderr.write("loading\\n"); time.sleep(0.2)'
    fails = 'if os.environ["CUDA_VISIBLE_DEVICES"] == "1": {}["nokey"]'
    assert spreading(2, f"{talks}\n            {fails}") == 1
    assert capfd.readouterr().err.splitlines()[-1] == "KeyError: 'nokey'"


Lay = Callable[..., list[Path]]


@pytest.fixture
def lay(tmp_path: Path) -> Lay:
    """What two processes left: their ids and places, and notes where there are any."""

    def run(ids: tuple[str, str], places: tuple[list[int], list[int]], *notes: str) -> list[Path]:
        found = []
        for k, (name, at) in enumerate(zip(ids, places, strict=True)):
            found.append(place := tmp_path / "shares" / str(k))
            (place / "images").mkdir(parents=True)
            (place / "images" / f"{name}.png").write_bytes(b"")
            (place / "synthetic.csv").write_text(f"image_id,sources\n{name},{'i ' * 100_000}\n")
            (place / "places.json").write_text(json.dumps(at))
            for note in notes[k : k + 1]:
                (place / "notes.json").write_text(note)
        return found

    return run


def test_sources_may_be_all_training_images(lay: Lay, tmp_path: Path) -> None:
    put_together(tmp_path, lay(("a", "b"), ([1], [0]), "{}", "{}"))
    lines = (tmp_path / "synthetic.csv").read_text().splitlines()
    assert [line[:2] for line in lines] == ["im", "b,", "a,"]
    assert (tmp_path / "notes.json").read_text() == "{}"


@pytest.mark.parametrize(
    ("ids", "places", "notes", "said"),
    [
        (("a", "a"), ([0], [1]), (), "synthetic image 'a': made by two of the processes"),
        (("a", "b"), ([0], [1]), ("1", "2"), "notes.json: the processes left different ones"),
        (("a", "b"), ([0], [2]), (), "2 images, of which some have no place"),
        (("a", "b"), ([0], [0]), (), "1: 1 images for 1 places; this method cannot be spread"),
    ],
)
def test_what_is_not_one_set_is_refused(
    lay: Lay,
    tmp_path: Path,
    ids: tuple[str, str],
    places: tuple[list[int], list[int]],
    notes: tuple[str, ...],
    said: str,
) -> None:
    with pytest.raises(StageError, match=said):
        put_together(tmp_path, lay(ids, places, *notes))
    assert not (tmp_path / "synthetic.csv").exists()


def test_a_process_without_a_set_is_told(lay: Lay, tmp_path: Path) -> None:
    places = lay(("a", "b"), ([0], [1]))
    (places[1] / "synthetic.csv").unlink()
    with pytest.raises(StageError, match=r"process of GPU 1 ended well and left no synthetic\.csv"):
        put_together(tmp_path, places)


def test_images_that_were_not_shared_are_refused(tmp_path: Path) -> None:
    """A method that makes all of them in each process."""
    places = [tmp_path / "shares" / str(k) for k in range(2)]
    for place in places:
        (place / "images").mkdir(parents=True)
        (place / "synthetic.csv").write_text("image_id,file\na,a.png\n")
        (place / "places.json").write_text(json.dumps([]))
    with pytest.raises(StageError, match="1 images for 0 places; this method cannot be spread"):
        put_together(tmp_path, places)
