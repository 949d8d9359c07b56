"""A run whose stages are jobs of a real Slurm: the same records, one sentence for whatever a queue does to a job."""

import json
import os
import re
import signal
import subprocess
from dataclasses import dataclass

import pytest
from slurm_here import Cluster, queue, records, slurm, wait_for
from tiny_rooms import GENERATE_PY, TRAIN_PY

from tonegap.formats.stage_job import read_job
from tonegap.store.store import Store

SLOW_PY = "import time\ntime.sleep(60)\n"


@pytest.mark.usefixtures("out_of_time")
class TestRecords:
    def test_a_cluster_gives_the_records_that_this_machine_gives(self, cluster, limits, tmp_path):
        limits()
        said = cluster.says()
        assert "2 stages run, 1 run finished, 0 cached, 0 failed" in said
        assert cluster.left() == []
        there = records(cluster.store)
        cluster.store = tmp_path / "other"
        cluster.says(place="here")
        assert there == records(cluster.store)
        assert len(there) == 1

    def test_the_same_command_again_queues_nothing(self, cluster, limits):
        limits()
        cluster.says()
        assert "0 stages run" in cluster.says()

    def test_stages_are_packed_into_tasks(self, cluster, planner, limits):
        planner.suite(seeds=[0, 1], limits={"timeout_s": 30, "memory_mib": 1024})
        cluster.settings("pack = 2\n")
        assert "2 stages in 1 task" in cluster.says()
        assert cluster.left() == []


def test_a_stage_that_can_use_both_gpus_of_a_node_is_given_both(cluster, planner, limits):
    """Slurm's are harmless devices here; what is looked at is which it names."""
    say = "import os\nprint('has', os.environ['CUDA_VISIBLE_DEVICES'])\n"
    planner.rooms.baseline("plain", say + TRAIN_PY, several_gpus=["train"])
    planner.rooms.method("grey", say + GENERATE_PY, parameters={"n": {"default": 3, "about": "n"}})
    limits()
    assert "2 stages run" in cluster.says("--device", "cuda", "--gpus-per-stage", "2")
    said = [path.read_text().splitlines()[0] for path in cluster.store.glob("stages/*/*/log.txt")]
    assert sorted(line.count(",") for line in said) == [0, 1], said
    assert cluster.left() == []


class TestFailures:
    def test_a_stage_that_fails_is_told_as_anywhere(self, cluster, planner, limits):
        planner.rooms.baseline("plain", "import sys\nprint('no such weights')\nsys.exit(3)\n")
        limits()
        said = cluster.says(code=1)
        assert (
            "failed (method-error): baselines/plain train: exit code 3; last line of its log: no such weights"
            in said
        )
        assert cluster.left() == []

    def test_its_own_limit_on_time_is_told_by_the_stage(self, cluster, planner, limits):
        planner.rooms.baseline("plain", SLOW_PY)
        limits(timeout_s=2)
        assert (
            "failed (timeout): baselines/plain train: still running after its time limit of 2 s"
            in cluster.says(code=1)
        )

    def test_a_job_that_is_cancelled_is_one_sentence(self, at_work):
        slurm("scancel", at_work.job)
        assert at_work.failed() == [
            "failed (killed): baselines/plain train: its Slurm job was cancelled (scancel)"
        ]

    def test_a_job_that_is_killed_is_one_sentence(self, at_work):
        pids = slurm("scontrol", "listpids", at_work.job).splitlines()[1:]
        os.kill(int(pids[0].split()[0]), signal.SIGKILL)
        assert at_work.failed() == [
            "failed (killed): baselines/plain train: its Slurm job was killed or could not start"
        ]

    def test_a_plug_in_changed_while_its_job_waited_is_refused(self, cluster, planner, limits):
        limits()
        slurm("scontrol", "update", "PartitionName=main", "State=DOWN")
        try:
            run = cluster.run()
            wait_for(queue)
            planner.rooms.method("grey", "print('other')\n")
        finally:
            slurm("scontrol", "update", "PartitionName=main", "State=UP")
        _, said = run.communicate(timeout=60)
        assert run.returncode == 1
        assert "changed since the stage was planned; run again" in said

    def test_a_job_that_slurm_will_never_start_is_said(self, cluster, limits):
        limits()
        cluster.settings('sbatch = ["--partition=short"]\n')  # of a minute at most
        run = cluster.run()
        assert run.stderr is not None
        assert run.stderr.readline().startswith("job ")
        assert "Slurm holds jobs (PartitionTimeLimit); change slurm.toml" in run.stderr.readline()

    def test_what_slurm_refuses_ends_the_run_with_its_words(self, cluster, limits):
        limits()
        cluster.settings('sbatch = ["--partition=nowhere"]\n')
        said = cluster.says(code=2)
        assert "error: sbatch refused: " in said
        assert "Invalid partition" in said
        assert "in Slurm" not in said
        assert cluster.left() == []


class TestController:
    def test_a_killed_controller_loses_nothing(self, cluster, planner, limits):
        planner.rooms.baseline("plain", "import time\ntime.sleep(3)\n" + TRAIN_PY)
        limits()
        run = cluster.run()
        wait_for(lambda: _trains(cluster))
        run.send_signal(signal.SIGKILL)
        run.communicate()
        began = queue()
        assert len(began) == 1
        said = cluster.says()
        assert "job " not in said.replace("jobs", ""), "it was submitted again"
        assert "1 run finished" in said
        assert cluster.left() == []

    def test_two_runs_at_once_share_their_jobs(self, cluster, planner):
        planner.suite(seeds=list(range(12)), limits={"timeout_s": 30, "memory_mib": 1024})
        cluster.settings("pack = 4\n")
        runs = [cluster.run(), cluster.run()]
        said = [run.communicate(timeout=120)[1] for run in runs]
        assert [run.returncode for run in runs] == [0, 0], said
        made = [int(re.search(r"(\d+) stages? run", text)[1]) for text in said]
        assert sum(made) == 24
        assert len(records(cluster.store)) == 12
        assert cluster.left() == []

    def test_a_stopped_controller_leaves_its_jobs_and_says_how_to_end_them(self, cluster, at_work):
        run = at_work.run
        run.send_signal(signal.SIGINT)
        _, said = run.communicate(timeout=20)
        assert run.returncode == 130
        assert "1 stage still in Slurm" in said
        assert len(queue()) == 1
        end = cluster.start("stage", "cancel")
        assert "1 job ended" in end.communicate(timeout=30)[1]
        assert cluster.left() == []

    def test_what_a_person_ends_while_the_run_waits_is_not_submitted_again(self, cluster, at_work):
        assert "1 job ended" in cluster.start("stage", "cancel").communicate(timeout=60)[1]
        assert at_work.failed() == [
            "failed (killed): baselines/plain train: its Slurm job was cancelled (scancel)"
        ]

    @pytest.mark.parametrize("cut", ["", '{"schema":', '{"schema": 1}'])
    def test_a_file_of_a_job_that_a_full_disk_cut_stops_no_run(self, cluster, planner, limits, cut):
        limits()
        keys = list(planner.plan().stages)
        folder = cluster.store / "jobs" / "0123456789ab"
        folder.mkdir(parents=True)
        (folder / "array.json").write_text(json.dumps({"tasks": [keys]}))
        (folder / f"{keys[0]}.json").write_text(cut)
        said = cluster.says()
        assert "its stage is submitted again" in said
        assert "1 run finished" in said
        assert cluster.left() == []

    @pytest.mark.usefixtures("at_work")
    def test_a_sweep_leaves_the_work_of_a_job_alone(self, cluster):
        assert Store(cluster.store).sweep() == 0


@dataclass
class AtWork:
    """A run whose train stage is at work as a job."""

    cluster: Cluster
    run: "subprocess.Popen[str]"

    @property
    def job(self) -> str:
        (line,) = queue()
        return line.split()[0]

    def failed(self) -> list[str]:
        """What the run says of failures; nothing is left of it."""
        _, said = self.run.communicate(timeout=60)
        assert self.run.returncode == 1
        assert self.cluster.left() == []
        return [line for line in said.splitlines() if line.startswith("failed")]


@pytest.fixture
def at_work(cluster, planner, limits):
    planner.rooms.baseline("plain", SLOW_PY)
    limits()
    run = cluster.run()
    wait_for(lambda: _trains(cluster))
    return AtWork(cluster, run)


def _trains(cluster) -> bool:
    """Whether a train stage has begun."""
    begun = [path.with_suffix(".json") for path in cluster.store.glob("jobs/*/*.begun")]
    return any(path.exists() and read_job(path).stage == "train" for path in begun)


def test_a_job_out_of_slurms_time_is_one_sentence(out_of_time):
    _, said = out_of_time.started[0].communicate(timeout=150)
    lines = [line for line in said.splitlines() if line.startswith("failed")]
    assert lines == [
        "failed (timeout): baselines/plain train: its Slurm job was ended at Slurm's time limit"
    ]
    assert not [*(out_of_time.store / "jobs").iterdir(), *(out_of_time.store / "work").iterdir()]


# The first try stays; the second finds what the first left.
RESUMES_PY = """\
import sys, time
from pathlib import Path
mark = Path(sys.argv[5]) / "checkpoints" / "begun"
if not mark.exists():
    mark.touch()
    time.sleep(60)
"""


@pytest.fixture
def first_try(cluster, planner, limits):
    """A run whose stage is at its first try, and has left a checkpoint."""
    planner.rooms.baseline("plain", RESUMES_PY + TRAIN_PY, resumable=True)
    limits()
    run = cluster.run()
    wait_for(lambda: list(cluster.store.glob("work/*/out/checkpoints/begun")))
    return run


class TestAgain:
    def test_a_preempted_stage_goes_on_from_its_checkpoint(self, cluster, first_try):
        slurm("sbatch", "-p", "urgent", "--exclusive", "--output=/dev/null", "--wrap=sleep 1")
        _, said = first_try.communicate(timeout=60)
        assert "baselines/plain train: its job was preempted; submitted again" in said
        assert "1 run finished" in said
        assert cluster.left() == []


def test_a_stage_whose_node_failed_goes_on_from_its_checkpoint(cluster, first_try):
    node = slurm("sinfo", "-h", "-o", "%n").split()[0]
    slurm("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
    _, said = first_try.communicate(timeout=60)
    assert "baselines/plain train: its job lost its node; submitted again" in said
    assert "1 run finished" in said
    assert cluster.left() == []
