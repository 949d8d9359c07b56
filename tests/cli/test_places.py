"""What cannot run in a place, or would overwrite or end nothing of tonegap's, is said before any work."""

import pytest
from tiny_rooms import rooms, tonegap

from tonegap.store.store import Store

__all__ = ["rooms", "tonegap"]


@pytest.fixture
def here(rooms, tmp_path, monkeypatch):
    """The suite `tiny`, the current folder being its root's parent, and no Slurm."""
    rooms.drawn()
    rooms.suite()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    return ("--suite-root", rooms.root)


def test_a_workflow_does_not_overwrite_a_file_of_somebody_elses(here, tonegap, tmp_path):
    mine = tmp_path / "Snakefile"
    mine.write_text("rule mine: pass\n")
    assert tonegap("export", "snakemake", "tiny", *here) == 2
    assert "found a file that this command has not written" in tonegap.err
    assert mine.read_text() == "rule mine: pass\n"


def test_a_workflow_is_written_over_one_before(here, tonegap, tmp_path):
    for _ in range(2):
        assert tonegap("export", "snakemake", "tiny", *here) == 0
    assert (
        (tmp_path / "Snakefile").read_text().startswith("# Written by `tonegap export snakemake`:")
    )


def test_a_workflow_says_nothing_of_a_place_and_wants_a_folder(here, tonegap):
    assert tonegap("export", "snakemake", "tiny", "--place", "slurm", *here) == 2
    assert "Snakemake's executors decide" in tonegap.err
    assert tonegap("export", "snakemake", "tiny", "--out", "nowhere/x", *here) == 2
    assert "nowhere is no folder" in tonegap.err


def test_without_a_cluster_nothing_is_planned(here, rooms, tonegap, tmp_path):
    store = tmp_path / "runs"
    assert tonegap("run", "tiny", "--place", "slurm", "--store", store, *here) == 2
    assert (
        "no cluster answers here; run on a login node (squeue is not on this machine's PATH)"
        in tonegap.err
    )
    assert not (store / "drawn").exists()


def test_a_plan_makes_no_store_and_says_what_it_draws_in_one(here, tonegap, tmp_path):
    store = tmp_path / "runs"
    assert tonegap("plan", "tiny", "--store", store, *here) == 0
    first = tonegap.out
    assert not store.exists()
    assert tonegap.err == ""
    Store(store)
    assert tonegap("plan", "tiny", "--store", store, *here) == 0
    (drawn,) = (path for path in (store / "drawn").iterdir() if path.name[0] != ".")
    assert tonegap.err == f"drawn, and left for the run: {drawn}\n"
    assert tonegap("plan", "tiny", "--store", store, *here) == 0
    assert (tonegap.out, tonegap.err) == (first, "")


def test_cancelling_the_jobs_of_no_store_is_a_mistake(here, tonegap, tmp_path):
    assert tonegap("stage", "cancel", "--store", tmp_path / "typo", *here) == 2
    assert "found no store there" in tonegap.err


def test_bubblewrap_is_refused_a_gpu_before_any_stage(here, tonegap):
    assert tonegap("run", "tiny", "--engine", "bwrap", "--device", "cuda", *here) == 2
    assert "bwrap brings no driver of a GPU into an image" in tonegap.err
