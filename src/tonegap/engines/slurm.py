"""Slurm by its own three commands: submit (`sbatch`), poll (`squeue`), cancel (`scancel`). No accounting is needed.

One `squeue` tells of all jobs, those that ended minutes ago included, however many there are; `sacct` is never asked.
"""

import getpass
import os
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from shlex import quote

import msgspec

from tonegap.declared.toml import read_toml
from tonegap.errors import BadRequest, EngineError

PREFIX = "tonegap-"
_OWN_MIB = 512  # of tonegap itself, beside the stage
_OWN_MINUTES = 2  # so that the stage's own limit, which says what it was, comes first
_ANSWER_S = 60
_MOST = {
    "pack": 100_000,
    "array": 1_000_000,
    "poll_s": 3600,
    "gone_s": 86_400,
}  # settings of a site
_OWN_WORDS = frozenset(
    {"--wrap", "--array", "-a", "--job-name", "-J", "--parsable", "--output", "-o", "--chdir", "-D"}
)
AGAIN = frozenset({"PREEMPTED", "NODE_FAIL", "BOOT_FAIL"})
OVER = AGAIN | {"CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "OUT_OF_MEMORY", "TIMEOUT"}
# Why Slurm holds a job that will not start unless somebody changes something.
HOLDS = frozenset(
    {
        *(
            "PartitionTimeLimit",
            "PartitionNodeLimit",
            "PartitionDown",
            "BadConstraints",
            "InvalidQOS",
        ),
        *("InvalidAccount", "JobHeldUser", "JobHeldAdmin", "AssocMaxWallDurationPerJobLimit"),
        *("QOSMaxWallDurationPerJobLimit", "QOSMaxMemoryPerJob", "QOSMaxCpuPerJobLimit"),
    }
)
ArrayTask = tuple[str, int]  # an array's name and a task's index in it


class Site(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`slurm.toml` of a user: what their cluster wants. No part of a key or a record.

    `sbatch`: words for every job (partition, account, qos). `gpu`: how `{n}` GPUs are asked for. `setup`: shell lines
    before tonegap starts (modules). `pack`: stages that one task runs in turn. `array`: tasks of an array at most.
    `poll_s`: seconds between two looks at the queue. `gone_s`: how long a job may be gone without having said how it
    ended, as shared file systems are late.
    """

    sbatch: tuple[str, ...] = ()
    gpu: tuple[str, ...] = ("--gpus={n}",)
    setup: tuple[str, ...] = ()
    pack: int = 1
    array: int = 1000
    poll_s: float = 15.0
    gone_s: float = 60.0

    def gpu_words(self, n: int) -> tuple[str, ...]:
        """How a job asks for `n` GPUs. Raises BadRequest where the words are for one and more are wanted."""
        if n > 1 and not any("{n}" in word for word in self.gpu):
            raise BadRequest(
                f"{site_path()}: gpu: found {' '.join(self.gpu)!r} and --gpus-per-stage {n}, wanted {{n}} where the "
                "number of GPUs stands, as in --gpus={n}"
            )
        return tuple(word.replace("{n}", str(n)) for word in self.gpu) if n else ()


def site_path() -> Path:
    """Where the user's own settings are, or would be."""
    config = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    return Path(os.environ.get("TONEGAP_SLURM") or config / "tonegap" / "slurm.toml")


def read_site() -> Site:
    """The user's own settings: TONEGAP_SLURM, or ~/.config/tonegap/slurm.toml, or none.

    Raises BadSuiteFolder, and BadRequest for a number out of bounds or a word that tonegap gives itself.
    """
    path = site_path()
    site = read_toml(path, Site) if os.environ.get("TONEGAP_SLURM") or path.exists() else Site()
    for name, most in _MOST.items():
        found = getattr(site, name)
        if not 0 < found <= most:
            raise BadRequest(
                f"{path}: {name}: found {found}, wanted a number above 0, at most {most:,}"
            )
    for word in site.sbatch:
        if (word.split("=")[0] if word.startswith("--") else word[:2]) in _OWN_WORDS:
            raise BadRequest(
                f"{path}: sbatch: found {word!r}, which tonegap gives itself; take it out"
            )
    return site


@dataclass(frozen=True, slots=True)
class Need:
    """What each task of an array needs: threads, GPUs, seconds and MiB of one stage."""

    threads: int
    gpus: int
    timeout_s: int
    memory_mib: int


@dataclass(frozen=True, slots=True)
class Slurm:
    """The cluster that `sbatch` reaches from here; `at_once` bounds the running tasks of an array, 0 does not."""

    site: Site
    at_once: int = 0

    def check(self) -> None:
        """Raises EngineError where no cluster answers here."""
        try:
            _ask(("squeue", "-h", "-u", getpass.getuser()))
        except EngineError as e:
            raise EngineError(
                f"--place slurm: no cluster answers here; run on a login node ({e})"
            ) from None

    def submit(self, name: str, tasks: int, need: Need, folder: Path) -> str:
        """Queues an array of tasks, each of which runs its stages of the folder; gives the job's id.

        Raises EngineError with what Slurm said where it takes none.
        """
        minutes = ceil(need.timeout_s * self.site.pack / 60) + _OWN_MINUTES
        throttle = f"%{self.at_once}" if self.at_once else ""
        argv = [
            *("sbatch", "--parsable", f"--job-name={PREFIX}{name}", "--no-requeue", "--nodes=1"),
            *(
                "--ntasks=1",
                f"--cpus-per-task={need.threads * max(need.gpus, 1)}",
                f"--time={minutes}",
            ),
            *(f"--mem={need.memory_mib + _OWN_MIB}M", f"--array=0-{tasks - 1}{throttle}"),
            *(f"--output={folder}/%a.out", f"--chdir={folder}"),
            *self.site.gpu_words(need.gpus),
            *self.site.sbatch,
        ]
        # The program takes the place of the shell: a signal for the job is one for it.
        start = f"exec {quote(sys.executable)} -m tonegap stage run --array {quote(str(folder))}"
        return (
            _ask(argv, "\n".join(["#!/bin/sh", *self.site.setup, start, ""])).split(";")[0].strip()
        )

    def poll(self) -> dict[ArrayTask, tuple[str, str]] | None:
        """State and reason of every task of tonegap's that Slurm remembers; None where it does not answer now."""
        look = ("squeue", "-h", "-r", "-t", "all", "-u", getpass.getuser(), "-o", "%j|%K|%T|%r")
        try:
            rows = [line.split("|") for line in _ask(look).splitlines() if line.startswith(PREFIX)]
        except EngineError:
            return None
        tasks = [row for row in rows if row[1].isdigit()]
        return {(row[0].removeprefix(PREFIX), int(row[1])): (row[2], row[3]) for row in tasks}

    def cancel(self, names: Iterable[str]) -> None:
        """Ends these arrays. Raises EngineError where Slurm does not answer."""
        wanted = ",".join(PREFIX + name for name in names)
        if wanted:
            _ask(["scancel", "--user", getpass.getuser(), f"--name={wanted}"])


def _ask(argv: Sequence[str], given: str = "") -> str:
    """What a command of Slurm's prints. Raises EngineError with its last line where it fails."""
    try:
        done = subprocess.run(
            argv, input=given, capture_output=True, text=True, timeout=_ANSWER_S, check=False
        )
    except FileNotFoundError:
        raise EngineError(f"{argv[0]} is not on this machine's PATH") from None
    except (OSError, subprocess.TimeoutExpired) as e:
        raise EngineError(f"{argv[0]}: {e}") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        settings = f"; settings of the site are in {site_path()}" if argv[0] == "sbatch" else ""
        raise EngineError(f"{argv[0]} refused: {lines[-1]}{settings}")
    return done.stdout
