"""`tonegap run` from a suite root to records, with plug-ins that run in a blink."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import msgspec
import pytest
from tiny_rooms import GENERATE_PY, TRAIN_PY

RAN = re.compile(r"^\[ *\d+/\d+\] (.+): \d+\.\d s$", re.MULTILINE)
SLOW = "import time\ntime.sleep(0.5)\n"
N = {"n": {"default": 3, "about": "images"}}


@pytest.fixture(scope="session")
def drawn(tmp_path_factory):
    """The images of `sixty`, drawn once for all tests: a store that holds nothing else."""
    from tiny_rooms import Rooms

    from tonegap.data.drawn import ensure_drawn
    from tonegap.declared.dataset import read_dataset

    rooms = Rooms(tmp_path_factory.mktemp("drawn") / "root")
    rooms.drawn()
    store = rooms.root / "runs"
    ensure_drawn(read_dataset(rooms.root, "sixty"), store / "drawn", 1)
    return store / "drawn"


@pytest.fixture
def suite(rooms, drawn):
    """A suite of four entries at one seed on drawn images; five stages."""
    rooms.drawn()
    rooms.method("grey", GENERATE_PY, parameters=N)
    rooms.baseline("other", TRAIN_PY + "\n# not the same\n")
    rooms.suite(entries=[{"methods": ["none", "grey"], "baselines": ["plain", "other"]}])
    return use(rooms, drawn, "runs")


def use(rooms, drawn, name):
    """A store of that name in the suite root, with the images drawn already."""
    store = rooms.root / name
    store.mkdir(exist_ok=True)
    if not (store / "drawn").exists():
        subprocess.run(["cp", "-r", str(drawn), str(store / "drawn")], check=True)
    return rooms


def run(tonegap, rooms, *words):
    """Exit code of `tonegap run tiny`, and the titles of the stages it ran."""
    code = tonegap("run", "tiny", "--suite-root", rooms.root, *words)
    return code, RAN.findall(tonegap.err)


def records(rooms, store="runs"):
    """Records by entry and seed, without what may differ between two runs of the same work."""
    found = {}
    for path in sorted((rooms.root / store / "records").glob("*.json")):
        record = msgspec.json.decode(path.read_bytes())
        del record["circumstances"]
        found[path.name] = msgspec.json.encode(record)
    return found


def start(rooms, *words, store="runs"):
    """The same run in a process of its own."""
    argv = [sys.executable, "-m", "tonegap", "run", "tiny", "--suite-root", str(rooms.root)]
    argv += ["--store", str(rooms.root / store), *words]
    return subprocess.Popen(argv, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def n_stages(rooms):
    return len(list((rooms.root / "runs" / "stages").glob("*/*/stage.json")))


def wait_until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_run_ends_in_a_record_for_every_cell_and_the_same_again_does_nothing(suite, tonegap):
    code, ran = run(tonegap, suite)
    assert code == 0, tonegap.err
    assert len(ran) == 5
    assert len(records(suite)) == 4
    before = {path: path.stat().st_mtime_ns for path in (suite.root / "runs").rglob("*.json")}
    began = time.monotonic()
    code, ran = run(tonegap, suite)
    assert (code, ran) == (0, [])
    assert "0 stages run, 0 runs finished, 4 cached, 0 failed" in tonegap.err
    assert time.monotonic() - began < 3
    after = {path: path.stat().st_mtime_ns for path in before}
    unchanged = {p for p in before if before[p] == after[p]}
    assert {p.parent.name for p in before if p not in unchanged} <= {"suites"}


def test_two_fresh_runs_give_the_same_records(suite, tonegap, drawn):
    run(tonegap, suite, "--jobs", 1)
    use(suite, drawn, "again")
    run(tonegap, suite, "--jobs", 2, "--store", suite.root / "again")
    first, second = records(suite), records(suite, "again")
    assert len(first) == 4
    assert first == second


def test_a_record_holds_scores_per_tone_for_each_selection(suite, tonegap):
    run(tonegap, suite)
    record = json.loads(next(iter(records(suite).values())))
    assert record["scores"].keys() == {"validation", "last", "test-oracle"}
    table = record["scores"]["last"]["tables"]["types"]
    rows = list(zip(table["metric"], table["tone"], table["value"], table["n"], strict=True))
    accuracy = {tone: (value, n) for metric, tone, value, n in rows if metric == "accuracy"}
    assert accuracy["I"][1] == accuracy["VI"][1] == 10
    assert accuracy["all"][0] == pytest.approx((accuracy["I"][0] + accuracy["VI"][0]) / 2)
    assert accuracy["gap"][0] == pytest.approx(abs(accuracy["I"][0] - accuracy["VI"][0]))
    assert record["scores"]["last"]["epoch"] == 2
    assert len(record["curve"]) == 2


def test_one_failing_entry_never_stops_the_others(suite, tonegap):
    suite.baseline("other", "print('no luck')\nraise SystemExit(4)\n")
    code, ran = run(tonegap, suite)
    assert code == 1
    assert len(ran) == 3
    assert len(records(suite)) == 2
    assert len(list((suite.root / "runs" / "failures").glob("*.json"))) == 2
    assert tonegap.err.count("failed (method-error): baselines/other train: exit code 4") == 2
    assert "    in: none + other, sixty/two seed 0\n    | no luck\n    log: " in tonegap.err
    path = re.findall(r"    log: (.+)", tonegap.err)[0]
    assert Path(path).read_text() == "no luck\n"
    assert f"tonegap log 'none + other' --suite-root {suite.root}\n" in tonegap.err
    assert tonegap("log", "none + other", "--suite-root", suite.root) == 0
    said = f"== sixty/two seed 0: baselines/other train, method-error: {path}\nno luck\n"
    assert tonegap.out == said
    assert tonegap("log", "none + othr", "--suite-root", suite.root) == 2
    assert "no entry 'none + othr' (did you mean 'none + other'?)" in tonegap.err


def test_the_way_to_a_failed_stages_log_names_the_store_that_was_given(suite, tonegap, drawn):
    suite.baseline("other", "print('no luck')\nraise SystemExit(4)\n")
    use(suite, drawn, "another store")
    store = suite.root / "another store"
    run(tonegap, suite, "--store", store)
    (words,) = set(re.findall(r"all of it: tonegap (log 'none \+ other' .+)", tonegap.err))
    assert tonegap(*shlex.split(words)) == 0
    assert "no luck\n" in tonegap.out


def test_a_finished_entry_has_logs_too(suite, tonegap):
    suite.baseline("other", TRAIN_PY + "\nprint('done')\n")
    run(tonegap, suite)
    assert tonegap("log", "none + other", "--suite-root", suite.root) == 0
    assert tonegap.out.splitlines()[-1] == "done"


def test_the_folder_of_a_failed_stage_is_kept_where_that_is_asked(suite, tonegap):
    suite.baseline("other", "print('no luck')\nraise SystemExit(4)\n")
    run(tonegap, suite)
    assert not (suite.root / "runs" / "kept").exists()
    run(tonegap, suite, "--keep")
    kept = [Path(path) for path in re.findall(r"baselines/other train: kept in (.+)", tonegap.err)]
    assert len(kept) == 2
    assert (kept[0] / "in/job.json").exists()
    assert list((suite.root / "runs" / "work").iterdir()) == []


def test_what_cannot_run_here_is_said_before_the_first_stage(suite, tonegap):
    assert run(tonegap, suite, "--set", "methods.n=-3") == (2, [])
    assert "methods/grey n: found -3, wanted 0 or more" in tonegap.err
    if not list(Path("/dev").glob("nvidia[0-9]*")):
        assert run(tonegap, suite, "--device", "cuda") == (2, [])
        assert "--device cuda: wanted GPU 0, this machine has no GPU" in tonegap.err
        for gpus in ("0", "all"):
            words = ("plan", "--suite-root", suite.root, "tiny", "--device", "cuda", "--gpus", gpus)
            assert tonegap(*words) == 0
            assert "5 stages to run, cost unknown" in tonegap.out
    suite.baseline("other", TRAIN_PY, command=["python3.99", "train.py"])
    assert run(tonegap, suite) == (2, [])
    assert (
        "baselines/other: command: 'python3.99' is no program on this machine's PATH" in tonegap.err
    )


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_an_empty_value_is_no_word_for_no_file(suite, tonegap, kind):
    """`--set "x=$(tonegap digest PATH)"` is `--set x=` where the digest failed."""
    weights = {"weights": {"default": "none", "about": "x", "kind": kind}}
    suite.baseline("other", TRAIN_PY, parameters=weights)
    assert run(tonegap, suite, "--set", "baselines/other.weights=") == (2, [])
    assert tonegap.err == (
        f"error: {suite.root}/benchmarks/suites/tiny.toml: baselines/other weights: found '', wanted "
        "PATH#sha256=HEX (`tonegap digest PATH` prints it), or none\n"
    )
    assert (
        tonegap("plan", "--suite-root", suite.root, "--set", "baselines/other.weights=", "tiny")
        == 2
    )
    assert run(tonegap, suite, "--set", "baselines/other.weights=none")[0] == 0


def test_a_plan_makes_no_store(suite, tonegap, tmp_path):
    assert tonegap("plan", "--suite-root", suite.root, "--store", tmp_path / "new", "tiny") == 0
    assert "5 stages to run" in tonegap.out
    assert not (tmp_path / "new").exists()


def test_progress_as_json_is_one_object_an_event(suite, tonegap):
    run(tonegap, suite, "--progress", "json")
    events = [json.loads(line) for line in tonegap.err.splitlines()]
    events = [e for e in events if e["event"] != "note"]
    assert events[0] == {"event": "expect", "stages": 5}
    assert [e["event"] for e in events].count("start") == 5
    titles = {e["title"] for e in events if e["event"] == "start"}
    assert "2 entries, sixty/two seed 0: methods/grey generate" in titles
    assert "none + plain, sixty/two seed 0: baselines/plain train" in titles


def test_changing_one_thing_recomputes_exactly_what_depends_on_it(suite, tonegap):
    run(tonegap, suite)
    suite.baseline("other", TRAIN_PY + "\n# changed\n")
    code, ran = run(tonegap, suite)
    assert code == 0
    assert sorted(ran) == [  # two at a time: either may end first
        f"{method} + other, sixty/two seed 0: baselines/other train" for method in ("grey", "none")
    ]
    suite.method("grey", GENERATE_PY, parameters={"n": {"default": 2, "about": "images"}})
    code, ran = run(tonegap, suite)
    assert code == 0
    assert sorted(title.split(": ")[1] for title in ran) == [
        "baselines/other train",
        "baselines/plain train",
        "methods/grey generate",
    ]


def test_another_seed_adds_its_own_stages_alone(suite, tonegap):
    run(tonegap, suite)
    path = suite.root / "benchmarks/suites/tiny.toml"
    path.write_text(path.read_text().replace("[0]", "[0, 7]"))
    _code, ran = run(tonegap, suite)
    assert len(ran) == 5
    assert all("seed 7" in title for title in ran)


def test_a_runner_killed_in_the_middle_loses_nothing_and_the_next_does_nothing_twice(
    suite, tonegap
):
    suite.baseline("plain", SLOW + TRAIN_PY)
    suite.baseline("other", SLOW + TRAIN_PY + "\n# not the same\n")
    killed = start(suite, "--jobs", "1")
    wait_until(lambda: n_stages(suite) >= 2)
    killed.kill()
    killed.communicate()
    done = n_stages(suite)
    assert 2 <= done < 5
    code, ran = run(tonegap, suite)
    assert code == 0
    assert len(ran) == 5 - done
    assert len(records(suite)) == 4
    assert list((suite.root / "runs" / "work").iterdir()) == []


def test_two_runs_at_once_share_the_work_and_give_the_same_records(suite, tonegap, drawn):
    suite.baseline("plain", SLOW + TRAIN_PY)
    suite.suite(seeds=[0, 1, 2, 3, 4, 5])
    both = [start(suite, "--jobs", "1"), start(suite, "--jobs", "1")]
    said = [process.communicate(timeout=300)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    ran = [RAN.findall(text) for text in said]
    assert sorted(title for titles in ran for title in titles) == [
        f"none + plain, sixty/two seed {seed}: baselines/plain train" for seed in range(6)
    ]
    use(suite, drawn, "alone")
    run(tonegap, suite, "--store", suite.root / "alone")
    assert records(suite) == records(suite, "alone")


def test_ctrl_c_ends_in_good_order_and_keeps_what_is_finished(suite):
    suite.baseline("plain", "import time\ntime.sleep(60)\n")
    process = start(suite, "--jobs", "1")
    wait_until(lambda: any((suite.root / "runs" / "work").glob("*/log.txt")))
    process.send_signal(signal.SIGINT)
    _out, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "run the same command again to go on" in err
    left = {name: list((suite.root / "runs" / name).iterdir()) for name in ("failures", "work")}
    assert left == {"failures": [], "work": []}


class TestPlan:
    def plan(self, tonegap, suite):
        assert tonegap("plan", "tiny", "--suite-root", suite.root, "--json") == 0
        return json.loads(tonegap.out)

    def test_before_and_after_a_run(self, suite, tonegap):
        before = self.plan(tonegap, suite)
        assert (before["suite"], before["runs"], before["cached"]) == ("tiny", 4, 0)
        assert len(before["stages"]) == 5
        assert {stage["why"] for stage in before["stages"]} == {
            "it never ran on this task and seed"
        }
        run(tonegap, suite)
        after = self.plan(tonegap, suite)
        assert (after["cached"], after["stages"]) == (4, [])

    def test_it_runs_nothing(self, suite, tonegap):
        self.plan(tonegap, suite)
        assert n_stages(suite) == 0
        assert records(suite) == {}

    def test_a_miss_is_explained_and_what_it_says_is_what_runs(self, suite, tonegap):
        run(tonegap, suite)
        suite.baseline("other", TRAIN_PY + "\n# changed\n")
        stages = self.plan(tonegap, suite)["stages"]
        assert {stage["why"] for stage in stages} == {"plug-in changed"}
        _code, ran = run(tonegap, suite)
        assert sorted(ran) == sorted(stage["stage"] for stage in stages)


def test_options_add_entries_beside_the_suites_first(suite, tonegap):
    run(tonegap, suite)
    suite.method("more", GENERATE_PY, parameters=N)
    _code, ran = run(tonegap, suite, "--method", "more")
    assert sorted(title.split(": ")[1] for title in ran) == [
        "baselines/other train",
        "baselines/plain train",
        "methods/more generate",
    ]


def test_a_suite_may_be_a_file_anywhere(suite, tonegap, tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text((suite.root / "benchmarks/suites/tiny.toml").read_text())
    assert tonegap("run", path, "--suite-root", suite.root) == 0
    assert (suite.root / "runs" / "suites" / "mine.json").exists()


def test_a_plug_in_in_plain_shell_needs_no_python(suite, tonegap):
    """The contract is files: a baseline of six lines of sh gives a record."""
    code = """\
header=$(sed 's/.*"classes":\\["\\([^"]*\\)","\\([^"]*\\)"\\].*/epoch,image_id,p_\\1,p_\\2/' "$3/job.json")
echo "$header" > "$5/predictions.csv"
for part in validation test; do
    tail -n +2 "$3/$part.csv" | cut -d, -f1 | sed 's/.*/1,&,0.25,0.75/' >> "$5/predictions.csv"
done
"""
    suite.write("baselines/shell/train.sh", code)
    suite.baseline("shell", "", command=["sh", "train.sh"])
    suite.write("baselines/shell/train.sh", code)
    suite.suite(entries=[{"methods": ["none"], "baselines": ["shell"]}])
    code, ran = run(tonegap, suite)
    assert (code, len(ran)) == (0, 1), tonegap.err
    (record,) = records(suite).values()
    assert json.loads(record)["entry"]["baseline"] == "shell"


def test_the_report_is_named_in_the_last_line(suite, tonegap):
    run(tonegap, suite)
    last = Path(tonegap.out.splitlines()[-1])
    assert os.path.exists(last if last.is_absolute() else suite.root / last)  # noqa: PTH110
