"""Stages of a run share its GPUs: as many as each can use, all at once or none, and nobody is passed by."""

import contextlib
import io
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from subprocess import PIPE

import pytest
from planner import Planner
from tiny_rooms import GENERATE_PY, PROJECT, TRAIN_PY

from tonegap.cli.requests import RunOptions, spelled
from tonegap.declared.suite import Limits
from tonegap.engines import gpus, open_engine
from tonegap.formats.record import decode_record
from tonegap.plan.plan import Plan
from tonegap.run.cost import measured_cost
from tonegap.run.explain import explain
from tonegap.run.progress import PlainProgress
from tonegap.run.runner import RunTally, run_plan
from tonegap.run.stages import Workplace
from tonegap.run.workflow import snakefile
from tonegap.store.marks import read_mark
from tonegap.store.store import Store

SAY_PY = "import os\nprint('has', os.environ['CUDA_VISIBLE_DEVICES'])\n"
# What two processes of a stage had of their GPUs; one number alone is no line of that kind.
PEAKS_PY = """\
import sys
for text in ("tonegap-gpu-memory 900", "tonegap-gpu-memory 64", "tonegap-gpu-memory much", "had 9999"):
    print(text, file=sys.stderr, flush=True)
"""
# With the kit: a process for each GPU, and what they leave put together.
SHARED_PY = """\
import os
from tonegap_kit.command import main, tell_device
from tonegap_kit.partition import read_partition
from tonegap_kit.synthetic import SyntheticImage, write_synthetic

def made(stage, train):
    tell_device("GPU-" + os.environ["CUDA_VISIBLE_DEVICES"])
    for row in stage.share.take(range(len(train)), 2):
        own = train.ids[row]
        label = stage.job.classes[train.y[row]]
        yield SyntheticImage(f"new-{row}", train.pictures.take([row])[0], label, None, (own,))

def generate(stage):
    train = read_partition(stage, "train")
    write_synthetic(stage, made(stage, train), len(train), train.ids)

main(generate=generate)
"""
N = {"n": {"default": 3, "about": "images"}}
LIMITS = Limits(timeout_s=30, memory_mib=1024, output_mib=20)


@pytest.fixture
def locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of locks that no other run has, so that GPUs of any name are free."""
    folder = tmp_path / "locks"
    folder.mkdir()
    monkeypatch.setattr(gpus, "_lock_folder", lambda: folder)
    return folder


@pytest.fixture
def sampling(planner: Planner) -> Planner:
    """The planner's suite, its method one whose sampling can use several GPUs; stages say what they see."""
    planner.rooms.method(
        "grey", SAY_PY + PEAKS_PY + GENERATE_PY, parameters=N, several_gpus=["generate"]
    )
    planner.rooms.baseline("plain", SAY_PY + TRAIN_PY)
    return planner


@pytest.fixture
def place(planner: Planner, locks: Path) -> Workplace:
    return Workplace(
        store=planner.store,
        engine=open_engine("local", planner.rooms.root),
        limits=LIMITS,
        jobs=3,
        gpus=("7", "8", "9"),
        progress=PlainProgress(io.StringIO()),
        gpus_per_stage=2,
    )


def started(plan: Plan, place: Workplace) -> tuple[threading.Thread, list[RunTally]]:
    """The plan run in a thread, and what it ends in."""
    found: list[RunTally] = []

    def work() -> None:
        with contextlib.suppress(KeyboardInterrupt):
            found.append(run_plan(plan, place))

    thread = threading.Thread(target=work)
    thread.start()
    return thread, found


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.02)


def is_free(gpu: str) -> bool:
    with gpus.try_gpu(gpu) as mine:
        return mine


def test_sampling_has_as_many_as_asked_and_training_one(sampling: Planner, place: Workplace):
    plan = sampling.plan(device="cuda")
    assert run_plan(plan, place).failures == ()
    seen, marks = {}, {}
    for key, stage in plan.stages.items():
        folder = place.store.stage_folder(key)
        seen[stage.stage] = (folder / "log.txt").read_text().splitlines()[0]
        marks[stage.stage] = read_mark(place.store.folder, key)
    assert seen == {"generate": "has 7,8", "train": "has 7"}
    assert {stage: mark.gpus for stage, mark in marks.items()} == {"generate": 2, "train": 1}
    assert measured_cost(marks["generate"], place.store).gpus == 2
    assert {stage: mark.gpu_memory_mib for stage, mark in marks.items()} == {
        "generate": 900.0,
        "train": None,
    }
    assert measured_cost(marks["generate"], place.store).gpu_memory_mib == 900
    assert '"gpus"' not in (place.store.stage_folder(marks["train"].key) / "stage.json").read_text()


def test_the_kit_shares_the_images_of_a_stage_among_its_gpus(
    planner: Planner, place: Workplace, tmp_path: Path
):
    """In the sandbox, by processes; the set is the one of a single GPU to the byte, and the record names both."""
    kit = planner.rooms.root / "docker" / "kit"
    shutil.copytree(PROJECT / "docker" / "kit", kit, dirs_exist_ok=True)
    planner.rooms.method("grey", SHARED_PY, parameters=N, several_gpus=["generate"])
    left, devices = [], []
    for n in (1, 2):
        planner.store = Store(tmp_path / f"store-{n}")
        plan = planner.plan(device="cuda")
        tally = run_plan(plan, replace(place, store=planner.store, gpus_per_stage=n))
        assert tally.failures == ()
        (key,) = (key for key, stage in plan.stages.items() if stage.stage == "generate")
        folder = planner.store.stage_folder(key)
        files = [folder / "synthetic.csv", *sorted((folder / "images").iterdir())]
        left.append({path.name: path.read_bytes() for path in files})
        devices.append(read_mark(planner.store.folder, key).versions["gpu"])
        record = decode_record(planner.store.record_path(plan.runs[0].id.key).read_bytes())
        assert record.circumstances.versions["gpu"] == devices[-1]  # training tells none here
        assert not (folder / "shares").exists()
    assert left[0] == left[1]
    assert len(left[0]) > 5
    assert devices == ["GPU-7", "GPU-7; GPU-8"]


def test_another_number_of_gpus_makes_nothing_anew(sampling: Planner, place: Workplace):
    plan = sampling.plan(device="cuda")
    run_plan(plan, place)
    again = run_plan(sampling.plan(device="cuda"), replace(place, gpus_per_stage=3))
    assert (again.n_stages, again.n_cached) == (0, 1)


def test_a_stage_on_the_cpu_has_none(sampling: Planner, place: Workplace):
    plan = sampling.plan()
    run_plan(plan, place)
    logs = [place.store.stage_folder(key) / "log.txt" for key in plan.stages]
    assert {log.read_text().splitlines()[0] for log in logs} == {"has "}


def test_a_stage_that_waits_for_two_holds_none(sampling: Planner, place: Workplace):
    with gpus.try_gpu("7"), gpus.try_gpu("9"):
        thread, found = started(sampling.plan(device="cuda"), place)
        wait_for(lambda: list(place.store.folder.glob("work/*/in/job.json")))
        time.sleep(0.7)  # longer than between two tries
        wait_for(lambda: is_free("8"))
        assert not list(place.store.folder.glob("work/*/log.txt"))
    thread.join(30)
    assert found[0].failures == ()


def test_a_run_that_is_stopped_waits_for_no_gpu(sampling: Planner, place: Workplace):
    with gpus.try_gpu("7"), gpus.try_gpu("9"):
        thread, found = started(sampling.plan(device="cuda"), place)
        wait_for(lambda: list(place.store.folder.glob("work/*/in/job.json")))
        place.cancelled.set()
        thread.join(20)
        assert not thread.is_alive()
        assert found == []


# Another process that has two GPUs until it is told to end.
HOLD_PY = """\
import sys
from pathlib import Path
from tonegap.engines.gpus import try_gpu
with try_gpu("7", folder=Path(sys.argv[1])), try_gpu("9", folder=Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_wait_for_another_run_is_said_once_and_so_is_its_end(
    sampling: Planner, place: Workplace, locks: Path
):
    argv, said = [sys.executable, "-c", HOLD_PY, str(locks)], io.StringIO()
    place = replace(place, progress=PlainProgress(said))
    with subprocess.Popen(argv, stdin=PIPE, stdout=PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        thread, found = started(sampling.plan(device="cuda"), place)
        wait_for(lambda: "waits for" in said.getvalue())
        time.sleep(1.2)  # two more tries
        other.communicate("")
    thread.join(30)
    assert found[0].failures == ()
    (waits,) = [line for line in said.getvalue().splitlines() if "waits for" in line]
    assert waits.endswith(
        f"generate: waits for 2 GPUs of 7, 8, 9; another run has GPU 7 (process {other.pid}), GPU 9 (process "
        f"{other.pid}): wait for its stage's end, or stop this run and name other --gpus"
    )
    (on,) = [line for line in said.getvalue().splitlines() if "goes on" in line]
    assert on.endswith("generate: goes on with GPU 7, 8")


def test_a_wait_for_a_stage_of_the_same_run_is_not_said(sampling: Planner, place: Workplace):
    """Two trainings of 0.8 seconds at once on one GPU: the second waits longer than a try."""
    sampling.rooms.baseline("plain", "import time\ntime.sleep(0.8)\n" + TRAIN_PY)
    sampling.suite(entries=[{"methods": ["none"], "baselines": ["plain"]}], seeds=[0, 1])
    said = io.StringIO()
    one = replace(place, gpus=("7",), progress=PlainProgress(said), jobs=2, gpus_per_stage=1)
    assert run_plan(sampling.plan(device="cuda"), one).failures == ()
    assert "waits for" not in said.getvalue()


def test_the_plan_counts_a_process_for_each_gpu(sampling: Planner, place: Workplace):
    """Measured with two: main memory is half of that with one, twice that with four, a GPU's is the same."""
    run_plan(sampling.plan(device="cuda"), place)
    sampling.rooms.method(
        "grey", "# other code\n" + GENERATE_PY, parameters=N, several_gpus=["generate"]
    )
    seen = {}
    for n in (1, 2, 4):
        cost = explain(sampling.plan(device="cuda"), place.store, {}, n).cost.stages[0]
        seen[n] = (cost.peak_memory_mib, cost.gpu_memory_mib, cost.n_gpus, cost.gpus)
    peak = seen[2][0]
    assert peak
    assert seen == {1: (peak / 2, 900, 1, 2), 2: (peak, 900, 2, 2), 4: (peak * 2, 900, 4, 2)}


def test_stages_that_want_one_do_not_keep_a_stage_that_wants_two_waiting(
    sampling: Planner, place: Workplace
):
    """Six trainings of half a second on two GPUs; who waits for both comes before the last of them."""
    sampling.rooms.baseline("plain", "import time\ntime.sleep(0.5)\n" + TRAIN_PY)
    sampling.suite(entries=[{"methods": ["none", "grey"], "baselines": ["plain"]}], seeds=[0, 1])
    said = io.StringIO()
    many = replace(place, gpus=("7", "8"), progress=PlainProgress(said), jobs=2)
    tally = run_plan(sampling.plan(device="cuda"), many)
    assert (tally.n_stages, tally.failures) == (6, ())
    ended = [line for line in said.getvalue().splitlines() if line.endswith(" s")]
    assert "train" in ended[-1]
    assert sum("generate" in line for line in ended[:4]) == 2, ended


def test_a_workflow_asks_for_as_many_gpus_as_a_stage_is_given(sampling: Planner):
    store = sampling.store.folder
    generate, train = snakefile(
        sampling.plan(device="cuda"), ["tiny"], LIMITS, store, 4
    ).split("\nrule stage_")[1:]  # fmt: skip
    assert "mem_mb=1024, runtime=1, gpu=4\n" in generate
    assert "threads: 4\n" in generate  # a processor for each of its processes
    assert "threads: 1\n" in train
    assert "mem_mb=1024, runtime=1, gpu=1\n" in train
    assert "gpu=" not in snakefile(sampling.plan(), ["tiny"], LIMITS, store, 4)


def test_the_words_of_a_workflow_name_its_gpus_where_a_stage_has_several(tmp_path: Path):
    options = RunOptions(
        None, None, (), "local", "cuda", "0,1", None, False, (), (), (), gpus_per_stage=2
    )
    assert spelled(options, tmp_path, tmp_path)[-4:] == ["--gpus", "0,1", "--gpus-per-stage", "2"]
    one = replace(options, gpus_per_stage=1)
    assert spelled(one, tmp_path, tmp_path)[-2:] == ["--device", "cuda"]
