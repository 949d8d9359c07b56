"""Trivial stages as jobs of Slurm: `python benchmarks_of_code/bench_cluster.py [STAGES] [PACK]` where a Slurm answers.

Says seconds, processor seconds of the run and of its jobs, jobs and tasks, and what was left in the queue and the
store. `source tests/cluster/slurm.sh` starts one.
"""

import io
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

# Each Python of a job that ends well says what it and its children took; stages get no PYTHONPATH of the caller's.
TELLS = """\
import atexit, os
def tell(pid=os.getpid()):
    if pid == os.getpid():
        with open({folder!r} + f"/{{pid}}-{{os.environ.get('SLURM_ARRAY_TASK_ID')}}", "w") as f:
            f.write(" ".join(map(str, os.times()[:4])))
atexit.register(tell)
"""


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
        (folder / "cpu").mkdir()
        (folder / "sitecustomize.py").write_text(TELLS.format(folder=str(folder / "cpu")))
        setup = (f"export PYTHONPATH={folder}:$PYTHONPATH",)
        site = Site(pack=pack, poll_s=2, gone_s=10, setup=setup)
        said, slurm = io.StringIO(), Slurm(site, at_once=2)
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
        began, used = time.perf_counter(), processor_seconds()
        tally = run_plan(plan, place)
        seconds, used = time.perf_counter() - began, processor_seconds() - used
        told = [path.read_text().split() for path in (folder / "cpu").iterdir()]
        own = sum(float(words[0]) + float(words[1]) for words in told)
        stages = sum(float(words[2]) + float(words[3]) for words in told)
        jobs = [line for line in said.getvalue().splitlines() if line.startswith("job ")]
        queued = subprocess.run(["squeue", "-h"], capture_output=True, text=True, check=True)
        left = [path for part in ("jobs", "work") for path in (store.folder / part).iterdir()]
        lines = [
            f"{tally.n_stages} stages, {tally.n_finished} records, {len(tally.failures)} failed",
            f"{seconds:.1f} s, {1000 * seconds / n_stages:.0f} ms a stage; load {os.getloadavg()[0]:.1f}",
            f"processor seconds: {used:.1f} of the run, {own:.1f} of tonegap in {len(told)} tasks, "
            f"{stages:.1f} of the stages",
            *jobs,
            f"left: {len(queued.stdout.splitlines())} jobs, {len(left)} files and folders",
        ]
        sys.stdout.write("\n".join(lines) + "\n")


def processor_seconds() -> float:
    """Of this process and the children it waited for."""
    both = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(sum(resource.getrusage(who)[:2]) for who in both)


if __name__ == "__main__":
    here = Path(__file__).parent
    sys.path[:0] = [str(here), str(here.parent / "tests" / "support")]
    numbers = [int(word) for word in sys.argv[1:]]
    main(*numbers[:2], *(2000, 20)[len(numbers) :])
