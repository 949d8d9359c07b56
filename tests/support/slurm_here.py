"""A real Slurm of one node: the one that answers, as `slurm.sh` beside this file starts it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import msgspec
import pytest
from planner import Planner
from tiny_rooms import Rooms

from tonegap.declared.suite import Limits
from tonegap.formats.record import decode_record

# Seconds of site settings are those of a cluster in which nothing is late.
SITE = "poll_s = 0.3\ngone_s = 1.0\n"


def slurm(*words: str) -> str:
    """What a command of Slurm's says."""
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def queue() -> list[str]:
    """The jobs of the test at hand that Slurm still has, one line each."""
    return slurm("squeue", "-h", "-r", "-p", "main,urgent,short", "-o", "%A %j %T").splitlines()


def records(store: Path) -> dict[str, bytes]:
    """Records by key without their circumstances (moments, seconds, memory)."""
    found = {}
    for path in sorted((store / "records").glob("*.json")):
        record = decode_record(path.read_bytes())
        rest = msgspec.to_builtins(record)
        rest.pop("circumstances")
        found[path.stem] = msgspec.json.encode(rest, order="sorted")
    return found


def wait_for(condition: Callable[[], object], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"it never happened; the queue: {queue()}"
        time.sleep(0.05)


@pytest.fixture(scope="session", autouse=True)
def a_cluster() -> None:
    """Skips where no Slurm answers; in CI that is a failure (TONEGAP_NO_SKIPS)."""
    if (
        shutil.which("sinfo") is None
        or subprocess.run(["sinfo", "-h"], capture_output=True).returncode
    ):
        pytest.skip("no Slurm answers: source tests/cluster/slurm.sh")


@dataclass
class Cluster:
    """Commands of tonegap on a suite root and a store, with a user's `slurm.toml`."""

    root: Path
    store: Path
    site: Path
    data: tuple[str, ...] = ()
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    def settings(self, text: str = "") -> None:
        self.site.write_text(SITE + text)

    def start(self, *words: str) -> "subprocess.Popen[str]":
        argv = [sys.executable, "-m", "tonegap", *words, "--suite-root", str(self.root)]
        argv += ["--store", str(self.store)]
        process = subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=self.root,
            env={**os.environ, "TONEGAP_SLURM": str(self.site)},
        )  # fmt: skip
        self.started.append(process)
        return process

    def run(
        self, *words: str, suite: str = "tiny", place: str = "slurm"
    ) -> "subprocess.Popen[str]":
        return self.start("run", suite, *self.data, "--place", place, *words)

    def says(self, *words: str, code: int = 0, **where: str) -> str:
        """What a run says on standard error, after it ended with the code."""
        process = self.run(*words, **where)
        _, said = process.communicate(timeout=240)
        assert process.returncode == code, said
        return said

    def left(self) -> list[str]:
        """What is left of jobs in the queue and in the store; nothing is wanted."""
        wait_for(lambda: not queue())
        return [str(path) for name in ("jobs", "work") for path in (self.store / name).iterdir()]


@pytest.fixture(scope="session")
def out_of_time(a_cluster: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A run beside all tests whose only job gets less time from Slurm than its stage may take, a minute."""
    folder = tmp_path_factory.mktemp("time")
    rooms = Rooms(folder / "root")
    rooms.baseline("plain", "import time\ntime.sleep(200)\n")
    rooms.method("none")
    planner = Planner(rooms, folder)
    planner.suite(method="none", limits={"timeout_s": 600, "memory_mib": 1024})
    roots = ("--root", f"clinic={planner.download}")
    made = Cluster(rooms.root, planner.store.folder, folder / "slurm.toml", roots)
    made.settings('sbatch = ["--time=1", "--partition=apart"]\n')
    made.run()
    yield made
    made.started[0].kill()
    made.started[0].communicate()
    subprocess.run(["scancel", "--user", "root", "--partition", "apart"], check=False)


@pytest.fixture
def cluster(planner: Planner, tmp_path: Path) -> Iterator[Cluster]:
    """The suite `tiny` on a cluster."""
    roots = ("--root", f"clinic={planner.download}")
    made = Cluster(planner.rooms.root, planner.store.folder, tmp_path / "slurm.toml", roots)
    made.settings()
    yield made
    for process in made.started:
        process.kill()
        process.communicate()
    for partition in ("main", "short"):
        subprocess.run(["scancel", "--user", "root", "--partition", partition], check=False)
    wait_for(lambda: not queue())


@pytest.fixture
def limits(planner: Planner) -> Callable[..., None]:
    """Gives the suite limits for each stage."""

    def give(**fields: int) -> None:
        merged = {"timeout_s": 30, "memory_mib": 1024, "output_mib": 20} | fields
        planner.suite(limits=merged)
        assert Limits(**merged)

    return give
