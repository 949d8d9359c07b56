"""Apptainer in jobs of a real Slurm, as an ordinary user: the same results, and nothing that outlives a job.

Where a Slurm answers as well, that takes jobs of this user (`tests/cluster/slurm.sh`, as root, before).
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from real_rooms import Program, marks, predictions

SITE = "poll_s = 0.5\ngone_s = 2.0\npack = 2\n"


@pytest.fixture
def site(tonegap: Program, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user's `slurm.toml`; two stages to a task."""
    if (
        shutil.which("squeue") is None
        or subprocess.run(["squeue", "-h"], capture_output=True).returncode
    ):
        pytest.skip("no Slurm answers: source tests/cluster/slurm.sh")
    path = tmp_path / "slurm.toml"
    path.write_text(SITE)
    monkeypatch.setenv("TONEGAP_SLURM", str(path))
    return path


def queue() -> list[str]:
    """The jobs of this user that Slurm still has."""
    said = subprocess.run(
        ["squeue", "-h", "--me", "-o", "%A %T"], capture_output=True, text=True, check=True
    )
    return said.stdout.splitlines()


def wait_for(condition: Callable[[], object], seconds: float = 240) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it never happened; the queue: {queue()}"
        time.sleep(0.1)


def test_results_are_those_of_apptainer_on_this_machine(tonegap, stores, site, tmp_path):
    store = tmp_path / "runs"
    where = ("--store", store, "--engine", "apptainer", "--place", "slurm")
    said = tonegap.done("run", "few", "--subset", "60", *where)
    assert "in 1 task" in said
    assert predictions(store) == predictions(stores["apptainer"])
    for mark in marks(store):
        assert mark["isolation"]["engine"] == "apptainer"
        assert mark["isolation"]["contained"] is True
        assert mark["isolation"]["network"] == "none"
    wait_for(lambda: not queue())
    assert [*(store / "jobs").iterdir(), *(store / "work").iterdir()] == []


# Starts a daemon, and neither ends by itself.
SLOW_PY = """\
import subprocess, sys, time
words = [sys.executable, "-c", "import time; time.sleep(600)", "a-daemon-in-a-job"]
subprocess.Popen(words, start_new_session=True)
time.sleep(600)
"""
SLOW_TOML = """\
title = "Slow"
about = "Never ends."
command = ["python", "slow.py"]
stages = ["train"]
"""
SUITE = """\
title = "Slow"
about = "One stage that never ends."
tasks = ["phantom/smoke"]
seeds = [0]
[[entries]]
methods = ["none"]
baselines = ["slow"]
[limits]
timeout_s = {timeout_s}
memory_mib = 1024
output_mib = 64
"""


@pytest.fixture
def slow(tonegap: Program, site: Path, tmp_path: Path) -> Callable[[int], "subprocess.Popen[str]"]:
    """Starts a run of a stage that never ends as a job, and waits until its daemon is there."""
    folder = tonegap.root / "baselines" / "slow"
    folder.mkdir(exist_ok=True)
    (folder / "slow.py").write_text(SLOW_PY)
    (folder / "baseline.toml").write_text(SLOW_TOML)
    (folder / "Dockerfile").write_text(
        "ARG BASE_IMAGE=base-cuda\nFROM ${BASE_IMAGE}\nCOPY . /plugin\nWORKDIR /plugin\n"
    )
    tonegap.done("image", "build", "baselines/slow")

    def start(timeout_s: int) -> "subprocess.Popen[str]":
        suite = tmp_path / "slow.toml"
        suite.write_text(SUITE.format(timeout_s=timeout_s))
        words = [
            "run",
            suite,
            "--subset",
            "60",
            "--store",
            tmp_path / "runs",
            "--engine",
            "apptainer",
            "--place",
            "slurm",
        ]
        argv = [
            sys.executable,
            "-m",
            "tonegap",
            *map(str, words),
            "--suite-root",
            str(tonegap.root),
        ]
        run = subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
        wait_for(daemons)
        return run

    return start


def daemons() -> list[str]:
    """Processes that the slow stage has started."""
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if b"a-daemon-in-a-job" in (path / "cmdline").read_bytes():
                found.append(path.name)
    return found


def failed(run: "subprocess.Popen[str]") -> str:
    """What a run says of its only failure; nothing of its stage is left."""
    _, said = run.communicate(timeout=120)
    assert run.returncode == 1, said
    wait_for(lambda: not (queue() or daemons()), seconds=20)
    (line,) = [line for line in said.splitlines() if line.startswith("failed")]
    return line


def test_the_stages_own_limit_on_time_ends_all_of_it(slow):
    assert "(timeout)" in failed(slow(5))


def test_a_cancelled_job_leaves_no_process(slow):
    run = slow(600)
    subprocess.run(["scancel", "--me"], check=True)
    assert failed(run).endswith("its Slurm job was cancelled (scancel)")


def test_a_killed_job_leaves_no_process(slow):
    run = slow(600)
    (line,) = queue()
    said = subprocess.run(
        ["scontrol", "show", "job", line.split()[0]], capture_output=True, text=True, check=True
    )
    assert "JobState=RUNNING" in said.stdout
    subprocess.run(["scancel", "--me", "--full", "--signal=KILL"], check=True)
    assert "(killed)" in failed(run)
