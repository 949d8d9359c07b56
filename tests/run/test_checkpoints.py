"""What an unfinished try of a resumable stage leaves, and who may see it."""

import io
import os
import subprocess
import sys
import time

import pytest

from tonegap.declared.suite import Limits
from tonegap.engines import open_engine
from tonegap.run import checkpoints
from tonegap.run.progress import PlainProgress
from tonegap.run.runner import run_plan
from tonegap.run.stages import Workplace

# Counts its tries in checkpoints/, and gives up in the first.
TWICE_PY = """\
import sys
from pathlib import Path

out = Path(sys.argv[5])
count = out / "checkpoints" / "tries"
n = int(count.read_text()) + 1 if count.exists() else 1
count.write_text(str(n))
if n == 1:
    sys.exit("first try")
(out / "synthetic.csv").write_text("image_id,file,label,tone,prompt,seed,sources\\n")
(out / "images").mkdir()
print("tries", n)
"""


@pytest.fixture
def method(planner):
    def make(code=TWICE_PY, **fields):
        planner.rooms.method("twice", code, **({"resumable": True} | fields))
        planner.suite(method="twice")

    make()
    return make


def run(planner):
    plan = planner.plan()
    limits = Limits(timeout_s=60, memory_mib=1024, output_mib=20)
    engine = open_engine("local", planner.rooms.root)
    progress = PlainProgress(io.StringIO())
    return run_plan(plan, Workplace(planner.store, engine, limits, 1, (), progress))


def kept(planner):
    folder = planner.store.folder / "checkpoints"
    return sorted(path.name for path in folder.iterdir()) if folder.exists() else []


def test_the_next_try_finds_what_the_last_one_left_and_nothing_of_it_stays(planner, method):
    key = planner.stages()["generate"].key
    assert [failure.text[:11] for failure in run(planner).failures] == ["exit code 1"]
    assert kept(planner) == [key]
    assert run(planner).failures == ()
    assert kept(planner) == []
    made = planner.store.stage_folder(key)
    assert (made / "log.txt").read_text() == "tries 2\n"
    assert not (made / "checkpoints").exists()


def test_a_changed_stage_never_sees_anothers_checkpoints(planner, method):
    run(planner)
    method(TWICE_PY + "# changed\n")
    assert run(planner).failures[0].text.endswith("first try")


def test_a_plug_in_that_does_not_ask_gets_no_folder(planner, method):
    method(resumable=False)
    assert "FileNotFoundError" in run(planner).failures[0].text
    assert kept(planner) == []


@pytest.mark.parametrize("what", ["link", "hard link", "pipe", "too much"])
def test_what_may_not_come_back_is_thrown_away(planner, method, tmp_path, what):
    run(planner)
    (key,) = kept(planner)
    folder = planner.store.folder / "checkpoints" / key
    if what == "link":
        (folder / "x").symlink_to("/etc/passwd")
    elif what == "hard link":
        (tmp_path / "other").write_text("x")
        (folder / "x").hardlink_to(tmp_path / "other")
    elif what == "pipe":
        os.mkfifo(folder / "x")
    else:
        (folder / "x").write_bytes(bytes(21 << 20))
    assert run(planner).failures[0].text.endswith("first try")


def test_a_run_that_was_killed_leaves_its_checkpoints_to_the_next(planner, method, tmp_path):
    """The work folder of a dead process is swept, but not before this."""
    key = planner.stages()["generate"].key
    code = (
        "import os, sys; from pathlib import Path; from tonegap.store.store import Store\n"
        "with Store(Path(sys.argv[1])).work_folder('w') as work:\n"
        "    (work / 'out' / 'checkpoints').mkdir(parents=True)\n"
        f"    (work / 'stage-key').write_text('{key}')\n"
        "    (work / 'out' / 'checkpoints' / 'tries').write_text('6')\n"
        "    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(planner.store.folder)], check=False)
    assert run(planner).failures == ()
    assert (planner.store.stage_folder(key) / "log.txt").read_text() == "tries 7\n"


def test_checkpoints_that_nobody_came_back_for_are_swept(planner, method):
    run(planner)
    (key,) = kept(planner)
    checkpoints.sweep(planner.store)
    assert kept(planner) == [key]
    old = time.time() - 31 * 24 * 3600
    os.utime(planner.store.folder / "checkpoints" / key, (old, old))
    checkpoints.sweep(planner.store)
    assert kept(planner) == []


def test_checkpoints_behind_a_link_in_place_of_out_are_left_where_they_are(planner, tmp_path):
    (tmp_path / "mine" / "checkpoints").mkdir(parents=True)
    (tmp_path / "mine" / "checkpoints" / "file").touch()
    work = tmp_path / "work"
    work.mkdir()
    (work / checkpoints.KEY_FILE).write_text("a" * 64)
    (work / "out").symlink_to(tmp_path / "mine")
    checkpoints.keep(planner.store, work)
    assert (tmp_path / "mine" / "checkpoints" / "file").exists()
    assert not (planner.store.folder / "checkpoints").exists()
