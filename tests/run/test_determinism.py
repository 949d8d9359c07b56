"""A second run of a stage of each plug-in: equal bytes, or the first file that differs."""

import io

import msgspec
import pytest
from tiny_rooms import GENERATE_PY, TRAIN_PY

from tonegap.declared.suite import Limits
from tonegap.engines import open_engine
from tonegap.run.determinism import (
    Repeated,
    check_determinism,
    first_difference,
    repeated_stages,
)
from tonegap.run.progress import PlainProgress
from tonegap.run.runner import run_plan
from tonegap.run.stages import Workplace
from tonegap.store.layout import DETERMINISM

# Notes the time in nanoseconds, which no seed decides.
CLOCK = "\nimport json, sys, time\nopen(sys.argv[5] + '/notes.json', 'w').write(json.dumps({'t': time.time_ns()}))\n"


@pytest.fixture
def place(planner):
    return Workplace(
        store=planner.store,
        engine=open_engine("local", planner.rooms.root),
        limits=Limits(timeout_s=60, memory_mib=1024, output_mib=20),
        jobs=1,
        gpus=(),
        progress=PlainProgress(io.StringIO()),
    )


def outcomes(planner, place):
    plan = planner.plan()
    assert run_plan(plan, place).failures == ()
    return {(r.plugin, r.stage): r.differs for r in check_determinism(plan, place)}


def test_stages_that_follow_their_seed_leave_the_same_bytes(planner, place):
    assert outcomes(planner, place) == {
        ("methods/grey", "generate"): "",
        ("baselines/plain", "train"): "",
    }
    kept = [
        msgspec.json.decode(path.read_bytes(), type=Repeated)
        for path in (planner.store.folder / DETERMINISM).iterdir()
    ]
    assert sorted((r.plugin, r.differs) for r in kept) == [
        ("baselines/plain", ""),
        ("methods/grey", ""),
    ]
    assert list((planner.store.folder / "work").iterdir()) == []


def test_a_stage_that_follows_the_clock_is_named_with_its_first_file(planner, place):
    planner.rooms.baseline("plain", TRAIN_PY + CLOCK)
    found = outcomes(planner, place)
    assert found["methods/grey", "generate"] == ""
    assert found["baselines/plain", "train"] == "notes.json has other bytes the second time"


def test_a_method_that_follows_the_clock_is_named_too(planner, place):
    parameters = {"n": {"default": 3, "about": "images"}}
    planner.rooms.method("grey", GENERATE_PY + CLOCK, parameters=parameters)
    assert outcomes(planner, place)["methods/grey", "generate"] == (
        "notes.json has other bytes the second time"
    )


def test_the_result_of_the_first_run_stays(planner, place):
    planner.rooms.baseline("plain", TRAIN_PY + CLOCK)
    plan = planner.plan()
    run_plan(plan, place)
    folder = place.store.stage_folder(plan.runs[0].stages[-1])
    before = (folder / "notes.json").read_bytes()
    check_determinism(plan, place)
    assert (folder / "notes.json").read_bytes() == before
    assert run_plan(plan, place).n_cached == 1


def test_nothing_finished_means_nothing_to_repeat(planner, place):
    assert repeated_stages(planner.plan(), place) == ()


def test_a_stopped_check_claims_nothing(planner, place):
    plan = planner.plan()
    run_plan(plan, place)
    place.cancelled.set()
    with pytest.raises(KeyboardInterrupt):
        check_determinism(plan, place)
    assert not (planner.store.folder / DETERMINISM).exists()


def test_differences_are_named_by_the_first_file(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, b in ((one, "1"), (other, "2")):
        (folder / "images").mkdir(parents=True)
        (folder / "images" / "a.png").write_text("same")
        (folder / "images" / "b.png").write_text(b)
        (folder / "images" / "c.png").write_text(b)
    (one / "stage.json").write_text("the engine's own")
    assert first_difference(one, other) == (
        "images/b.png has other bytes the second time; 1 more differ"
    )
    (one / "images" / "0.png").write_text("")
    assert first_difference(one, other) == "images/0.png is not there the second time"
    (one / "images" / "0.png").unlink()
    (other / "images" / "0.png").write_text("")
    assert first_difference(one, other) == "images/0.png is there the second time only"
    assert first_difference(one, one) == ""
