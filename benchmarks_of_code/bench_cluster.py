"""Trivial stages as jobs of Slurm: `python benchmarks_of_code/bench_cluster.py [STAGES] [PACK]` where a Slurm answers.

Says seconds, jobs and tasks, and what was left in the queue and the store. `source tests/cluster/slurm.sh` starts one.
"""

import io
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def main(n_stages: int, pack: int) -> None:
    """Runs them and prints what it took."""
    import bench_engine

    from tonegap.declared.suite import read_suite
    from tonegap.engines import open_engine
    from tonegap.engines.slurm import Site, Slurm
    from tonegap.plan.prepare import Request, prepare
    from tonegap.run.progress import PlainProgress
    from tonegap.run.runner import run_plan
    from tonegap.run.stages import Workplace
    from tonegap.store.store import Store

    bench_engine.N_TRIVIAL = n_stages
    with tempfile.TemporaryDirectory(prefix="tonegap-cluster-") as name:
        folder = Path(name)
        rooms = bench_engine.trivial_rooms(folder)
        engine, store = open_engine("local", rooms.root), Store(folder / "store")
        suite = read_suite(rooms.root, "tiny")
        roots = {"clinic": folder / "download"}
        plan = prepare(Request(rooms.root, suite, store, engine, roots, "cpu", 1, False))
        said, slurm = io.StringIO(), Slurm(Site(pack=pack, poll_s=2, gone_s=10), at_once=2)
        place = Workplace(
            store,
            engine,
            suite.file.limits,
            1,
            (),
            PlainProgress(said),
            slurm=slurm,
            root=rooms.root,
        )
        began = time.perf_counter()
        tally = run_plan(plan, place)
        seconds = time.perf_counter() - began
        jobs = [line for line in said.getvalue().splitlines() if line.startswith("job ")]
        queued = subprocess.run(["squeue", "-h"], capture_output=True, text=True, check=True)
        left = [path for part in ("jobs", "work") for path in (store.folder / part).iterdir()]
        lines = [
            f"{tally.n_stages} stages, {tally.n_finished} records, {len(tally.failures)} failed",
            f"{seconds:.1f} s, {1000 * seconds / n_stages:.0f} ms a stage; load {os.getloadavg()[0]:.1f}",
            *jobs,
            f"left: {len(queued.stdout.splitlines())} jobs, {len(left)} files and folders",
        ]
        sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    here = Path(__file__).parent
    sys.path[:0] = [str(here), str(here.parent / "tests" / "support")]
    numbers = [int(word) for word in sys.argv[1:]]
    main(*numbers[:2], *(2000, 20)[len(numbers) :])
