"""Post-processors over stored predictions: `python benchmarks_of_code/bench_postprocess.py [ENTRIES] [SEEDS] [EPOCHS]`.

Trains nothing worth the name: each entry is a baseline that says a hash. Then it runs the suite again with every
post-processor, from plan to records, on two stages at once, and prints wall and processor seconds.
"""

import io
import os
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

IMAGES = 600


def main(n_entries: int, n_seeds: int, n_epochs: int) -> None:
    """Runs both suites and prints what the second took."""
    from tiny_rooms import DRAWN, PROJECT, TASK, TRAIN_PY, Rooms

    from tonegap.declared.plugin import plugin_ids

    with tempfile.TemporaryDirectory(prefix="tonegap-postprocess-") as name:
        folder = Path(name)
        rooms = Rooms(folder / "root")
        without = shutil.ignore_patterns("__pycache__")
        for part in ("docker/kit", "postprocessors"):
            shutil.copytree(PROJECT / part, rooms.root / part, dirs_exist_ok=True, ignore=without)
        rooms.method("none")
        code = TRAIN_PY.replace("(1, 2)", f"range(1, {n_epochs + 1})")
        entries = [f"plain{i}" for i in range(n_entries)]
        for entry in entries:
            rooms.baseline(entry, code, parameters={"own": {"default": entry, "about": "salt"}})
        text = DRAWN.replace("images = 40", f"images = {IMAGES}")
        rooms.write(
            "benchmarks/sixty/dataset.toml", text.replace("images = 20", f"images = {IMAGES // 4}")
        )
        rooms.write("benchmarks/sixty/tasks/two.toml", TASK)
        row: dict[str, object] = {"methods": ["none"], "baselines": entries}
        behind = plugin_ids(rooms.root, "postprocessor")
        for title, more in (("trained", []), ("post-processed", behind)):
            rooms.suite(entries=[row | {"postprocessors": more}], seeds=list(range(n_seeds)))
            say(f"{title}: {run(rooms.root, folder / 'store')}")


def run(root: Path, store_folder: Path) -> str:
    """Runs the suite `tiny` and says what it took."""
    from tonegap.declared.suite import read_suite
    from tonegap.engines import open_engine
    from tonegap.plan.prepare import Request, prepare
    from tonegap.run.progress import PlainProgress
    from tonegap.run.runner import run_plan
    from tonegap.run.stages import Workplace
    from tonegap.store.store import Store

    began, cpu = time.perf_counter(), cpu_seconds()
    suite, store, engine = read_suite(root, "tiny"), Store(store_folder), open_engine("local", root)
    plan = prepare(Request(root, suite, store, engine, {}, "cpu", 2, False))
    place = Workplace(store, engine, suite.file.limits, 2, (), PlainProgress(io.StringIO()))
    tally = run_plan(plan, place)
    assert not tally.failures, tally.failures[0]
    here, last = cpu_seconds() - cpu, {run.stages[-1] for run in plan.runs}
    below = sum(store.read_mark(key).cpu_seconds or 0.0 for key in last)
    return (
        f"{tally.n_finished} records in {time.perf_counter() - began:.1f} s wall; processor: {here:.1f} s here, "
        f"{below:.1f} s in stages; load {os.getloadavg()[0]:.1f}"
    )


def cpu_seconds() -> float:
    """Processor seconds of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))
    numbers = [int(word) for word in sys.argv[1:]]
    main(*numbers[:3], *(12, 5, 12)[len(numbers) :])
