"""A plan carried out: failures stay where they are, nothing is done twice, and stopping is orderly."""

import io
import threading
import time

import msgspec
import pytest
from tiny_rooms import GENERATE_PY, TRAIN_PY

from tonegap.declared.suite import Limits
from tonegap.engines import local, open_engine
from tonegap.errors import StoreError
from tonegap.formats.matrix import Failure
from tonegap.formats.record import decode_record
from tonegap.run.progress import PlainProgress
from tonegap.run.runner import run_plan
from tonegap.run.stages import Workplace
from tonegap.store.store import Store

FAIL_PY = "import sys\nprint('starting')\nprint('no such weights', file=sys.stderr)\nsys.exit(3)\n"


@pytest.fixture
def run(planner):
    """Runs the planner's suite; `run.said` is what it told, `run.cancelled` stops it."""

    def run(jobs=1):
        place = Workplace(
            store=planner.store,
            engine=open_engine("local", planner.rooms.root),
            limits=Limits(timeout_s=30, memory_mib=1024, output_mib=20),
            jobs=jobs,
            gpus=(),
            progress=PlainProgress(said),
            cancelled=run.cancelled,
        )
        plan = planner.plan()
        tally = run_plan(plan, place)
        run.said = said.getvalue()
        return plan, tally

    said = io.StringIO()
    run.cancelled = threading.Event()
    return run


def failures(planner, plan):
    paths = [planner.store.failure_path(cell.id.key) for cell in plan.runs]
    return [msgspec.json.decode(p.read_bytes(), type=Failure) for p in paths if p.exists()]


def test_a_cell_ends_in_a_record_with_its_evidence(planner, run):
    plan, tally = run()
    assert (tally.n_stages, tally.n_finished, tally.n_cached, tally.failures) == (2, 1, 0, ())
    cell = plan.runs[0]
    record = decode_record(planner.store.record_path(cell.id.key).read_bytes())
    assert [stage.key for stage in record.stages] == list(cell.stages)
    assert record.synthetic.n == 3
    assert record.circumstances.isolation.contained is False
    assert list((planner.store.folder / "work").iterdir()) == []


def test_the_same_again_runs_nothing(planner, run):
    run()
    _plan, tally = run()
    assert (tally.n_stages, tally.n_finished, tally.n_cached) == (0, 0, 1)


def test_lines_count_stages_and_say_how_each_ended(planner, run):
    run()
    lines = run.said.splitlines()
    assert lines[0].startswith("[1/2] grey + plain, clinic/two seed 0: methods/grey generate: ")
    assert lines[1].startswith("[2/2] grey + plain, clinic/two seed 0: baselines/plain train: ")
    assert all(line.endswith(" s") for line in lines)


def test_a_failing_method_fails_its_own_cells_and_no_others(planner, run):
    planner.rooms.method("broken", FAIL_PY)
    planner.suite(entries=[{"methods": ["broken", "none"], "baselines": ["plain"]}], seeds=[0, 1])
    plan, tally = run()
    assert (tally.n_finished, len(tally.failures)) == (2, 2)
    kept = failures(planner, plan)
    assert [(f.plugin, f.stage, f.cause) for f in kept] == 2 * [
        ("methods/broken", "generate", "method-error")
    ]
    assert kept[0].text == "exit code 3; last line of its log: no such weights"
    log = planner.store.folder / kept[0].log
    assert log.read_text() == "starting\nno such weights\n"


def test_a_stage_behind_a_failure_is_not_tried(planner, run):
    planner.rooms.method("broken", FAIL_PY)
    planner.suite(method="broken")
    _plan, tally = run()
    assert tally.n_stages == 0
    assert len(run.said.splitlines()) == 1  # the train stage is never mentioned


def test_a_failure_is_tried_again_and_forgotten_once_it_works(planner, run):
    planner.rooms.baseline("plain", FAIL_PY)
    planner.suite(method="none")
    plan, _tally = run()
    assert len(failures(planner, plan)) == 1
    assert not planner.store.has_stage(plan.runs[0].stages[0])
    _plan, again = run()
    assert len(again.failures) == 1
    planner.rooms.baseline("plain", TRAIN_PY)
    _plan, after = run()
    assert (after.n_finished, after.failures) == (1, ())


def test_bad_outputs_are_a_failure_with_the_sentence_of_the_check(planner, run):
    planner.rooms.baseline("plain", "print('done')\n")
    planner.suite(method="none")
    plan, _tally = run()
    (failure,) = failures(planner, plan)
    assert failure.cause == "bad-output"
    assert failure.text.startswith("no predictions file; a train stage leaves exactly one")


def test_predictions_that_break_the_contract_are_a_failure_of_the_cell(planner, run):
    planner.rooms.baseline("plain", TRAIN_PY.replace("p, 1 - p", "p, 1"))
    planner.suite(method="none")
    plan, tally = run()
    (failure,) = failures(planner, plan)
    assert failure.cause == "bad-output"
    assert "do not sum to 1" in failure.text
    assert tally.n_finished == 0


def test_a_damaged_stage_of_a_finished_cell_runs_again_and_its_cell_is_scored_again(planner, run):
    planner.suite(method="none", seeds=[0, 1])
    plan, _tally = run()
    cell = plan.runs[0]
    predictions = planner.store.stage_folder(cell.stages[0]) / "predictions.csv"
    whole, scores = predictions.read_bytes(), numbers(planner, cell)
    predictions.write_bytes(b"")
    _plan, tally = run()
    assert (tally.n_stages, tally.n_finished, tally.n_cached) == (1, 1, 1)
    said = f"stages/{cell.stages[0][:2]}/{cell.stages[0]}/predictions.csv is not what was written"
    assert tally.mended == (said,)
    assert predictions.read_bytes() == whole
    assert numbers(planner, cell) == scores


def numbers(planner, cell):
    return decode_record(planner.store.record_path(cell.id.key).read_bytes()).scores


def test_a_disk_that_is_full_stops_the_run_with_one_sentence(planner, run):
    planner.suite(method="none", seeds=[0, 1])
    (planner.store.folder / "stages").rmdir()
    (planner.store.folder / "stages").write_text("")  # nothing can be kept there, not even by root
    with pytest.raises(StoreError, match="cannot be written"):
        run()
    assert run.cancelled.is_set()
    assert list((planner.store.folder / "work").iterdir()) == []


def test_stopping_ends_the_stage_at_work_and_leaves_no_failure(planner, run):
    planner.rooms.baseline("plain", "import time\ntime.sleep(30)\n")
    planner.suite(method="none", seeds=[0, 1, 2])
    threading.Timer(1.0, run.cancelled.set).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        run()
    assert time.monotonic() - began < 8
    left = [
        list((planner.store.folder / name).iterdir()) for name in ("failures", "stages", "work")
    ]
    assert left == [[], [], []]


def test_the_log_of_a_failure_goes_when_its_stage_is_finished(planner, run):
    """It failed for want of a file beside it, of which its key knows nothing."""
    missing = planner.rooms.root.parent / "missing"
    code = f"import pathlib\nprint('here')\nassert pathlib.Path({str(missing)!r}).exists()\n"
    planner.rooms.baseline("plain", code + TRAIN_PY)
    planner.suite(method="none")
    folder = planner.store.folder / "failures"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(local, "sandbox_kind", lambda: "none")
        run()
        assert sorted(path.suffix for path in folder.iterdir()) == [".json", ".log"]
        missing.touch()
        run()
    assert list(folder.iterdir()) == []


def test_a_failure_without_a_word_leaves_no_log(planner, run):
    planner.rooms.baseline("plain", "raise SystemExit(3)\n")
    planner.suite(method="none")
    _plan, tally = run()
    assert [failure.log for failure in tally.failures] == [""]
    assert not list((planner.store.folder / "failures").glob("*.log"))


def test_two_runners_on_one_store_share_the_work(planner, run):
    """The second takes what the first is not at, and no stage runs twice."""
    slow = "import time\ntime.sleep(0.4)\n"
    planner.rooms.baseline("plain", slow + TRAIN_PY)
    planner.suite(method="none", seeds=list(range(6)))
    tallies = []
    threads = [threading.Thread(target=lambda: tallies.append(run()[1])) for _ in range(2)]
    planner.plan()  # what is read once (index, packs) should not decide who is first
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ran = sorted(tally.n_stages for tally in tallies)
    assert sum(ran) == 6
    assert ran[0] >= 2


def test_a_stage_that_another_run_finished_is_not_run_again(planner, run):
    planner.suite(method="none")
    plan = planner.plan()
    key = plan.runs[0].stages[0]
    result = []
    with planner.store.try_lock(f"stage-{key}") as mine:
        assert mine
        thread = threading.Thread(target=lambda: result.append(run()[1]))
        thread.start()
        time.sleep(0.5)
        assert result == []  # it waits
    thread.join()
    assert result[0].n_stages == 1  # the other gave up without a result, so it ran here


def test_parallel_stages_of_one_run_all_finish(planner, run):
    planner.rooms.method("grey", GENERATE_PY, parameters={"n": {"default": 2, "about": "images"}})
    planner.suite(entries=[{"methods": ["none", "grey"], "baselines": ["plain"]}], seeds=[0, 1, 2])
    _plan, tally = run(jobs=2)
    assert (tally.n_stages, tally.n_finished, tally.failures) == (9, 6, ())


def test_records_of_one_job_and_of_two_are_the_same(planner, run, tmp_path):
    planner.suite(seeds=[0, 1])
    plan, _ = run(jobs=1)
    first = [without_circumstances(planner, cell) for cell in plan.runs]
    planner.store = Store(tmp_path / "another")
    plan, _ = run(jobs=2)
    assert [without_circumstances(planner, cell) for cell in plan.runs] == first


def without_circumstances(planner, cell):
    content = msgspec.json.decode(planner.store.record_path(cell.id.key).read_bytes())
    del content["circumstances"]
    return msgspec.json.encode(content)
