"""The embedded suite, cut down, as jobs of a real Slurm and on this machine; and as a workflow of Snakemake's."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from slurm_here import Cluster, records, wait_for
from tiny_rooms import PROJECT

SUITE = """\
title = "Smoke, cut down"
about = "Real training, recolouring and a control, on a few images."
tasks = ["phantom/smoke"]
seeds = [0]
threads = 1

[[entries]]
methods = ["none", "tone-shift"]
baselines = ["erm"]
backbones = ["cnn4"]

[[entries]]
methods = ["none"]
baselines = ["class-prior"]

[parameters."baselines/erm"]
epochs = 2

[limits]
timeout_s = 600
memory_mib = 4096
output_mib = 1000
"""


def test_the_records_are_those_of_this_machine_also_after_a_killed_controller(tmp_path):
    suite = tmp_path / "cut.toml"
    suite.write_text(SUITE)
    options = ("--subset", "60", "--numerics", "portable")
    found = []
    for place in ("slurm", "here"):
        made = Cluster(PROJECT, tmp_path / place, tmp_path / "slurm.toml")
        made.settings()
        if place == "slurm":
            _kill_in_the_middle(made, made.run(*options, suite=str(suite)))
        said = made.says(*options, suite=str(suite), place=place)
        assert "0 failed" in said
        found.append(records(made.store))
        assert made.left() == []
    assert len(found[0]) == 3
    assert found[0] == found[1]


def _kill_in_the_middle(made: Cluster, run: "subprocess.Popen[str]") -> None:
    """Kills the controller when one stage is in the store and others are at work."""
    try:
        wait_for(lambda: list(made.store.glob("stages/*/*/stage.json")), seconds=240)
    finally:
        run.send_signal(signal.SIGKILL)
        run.communicate()
    assert len(records(made.store)) < 3
    assert list(made.store.glob("jobs/*/*.begun"))


def test_snakemake_runs_the_workflow_and_a_run_then_finds_all_done(planner, cluster, limits):
    """By its local executor, as it would run it anywhere."""
    snakemake = shutil.which("snakemake")
    if snakemake is None:
        pytest.skip("no snakemake on PATH")
    limits()
    out = cluster.root / "tiny.smk"
    written = cluster.start("export", "snakemake", "tiny", *cluster.data, "--out", str(out))
    assert written.wait(60) == 0
    done = subprocess.run(
        [snakemake, "--snakefile", out, "--cores", "2", "--directory", cluster.root, "--config",
         f"tonegap={sys.executable} -m tonegap"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (cluster.root / "tonegap-tiny.done").exists()
    assert "0 stages run, 0 runs finished, 1 cached, 0 failed" in cluster.says(place="here")


@pytest.fixture
def workflow(planner, cluster, limits) -> str:
    limits()
    out = Path(cluster.root / "tiny.smk")
    assert (
        cluster.start("export", "snakemake", "tiny", *cluster.data, "--out", str(out)).wait(60) == 0
    )
    return out.read_text()


def test_a_workflow_has_a_rule_for_each_stage_after_those_it_needs(workflow, planner):
    keys = planner.keys()
    made = {
        name: f"stages/{keys[name][:2]}/{keys[name]}/stage.json" for name in ("generate", "train")
    }
    first, second = workflow.split("\nrule stage_")[1:]
    assert first.startswith(keys["generate"][:16])
    assert "input: []" in first
    assert f"input: ['{planner.store.folder}/{made['generate']}']" in second
    assert f"output: '{planner.store.folder}/{made['train']}'" in second
    assert "mem_mb=1024, runtime=1" in second
