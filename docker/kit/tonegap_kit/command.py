"""The command line of a plug-in: `COMMAND STAGE --in DIR --out DIR`, and what a failure looks like.

A plug-in's program ends with `main(train=...)`, `main(fit=..., generate=...)`, `main(features=..., embed=...)` or
`main(postprocess=...)`. What its function raises as StageError becomes one line in the log; a bug keeps
its traceback. Both end with code 1.
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from tonegap_kit.errors import StageError
from tonegap_kit.job import Job, read_job
from tonegap_kit.shares import BatchShare, spread, visible_devices


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage that runs: its job, where it reads, where it may write, and which of its images this process makes."""

    job: Job
    inputs: Path
    out: Path
    share: BatchShare = field(default_factory=BatchShare)

    def seed_of(self, purpose: str) -> int:
        """A seed in [0, 2^63) for one purpose: another draw there never moves the draws here."""
        digest = sha256(f"{self.job.seed}\0{purpose}".encode()).digest()
        return int.from_bytes(digest[:8], "big") >> 1

    def rng(self, purpose: str) -> np.random.Generator:
        """The generator of numpy for one purpose, from the job's seed."""
        return np.random.default_rng(self.seed_of(purpose))

    def file(self, parameter: str) -> Path | None:
        """The local file that a parameter of kind `file` names, or None where it is `none`."""
        path = self._given(parameter)
        if path is not None and not path.is_file():
            raise StageError(f"{path}: there is no such file, but parameter {parameter} names it")
        return path

    def folder(self, parameter: str) -> Path | None:
        """The local folder that a parameter of kind `folder` names, or None where it is `none`."""
        path = self._given(parameter)
        if path is not None and not path.is_dir():
            raise StageError(f"{path}: there is no such folder, but parameter {parameter} names it")
        return path

    def checkpoints(self) -> Path:
        """Where a resumable stage keeps what an unfinished try of the same stage leaves for the next.

        Raises StageError where the plug-in's TOML file does not say `resumable = true`.
        """
        folder = self.out / "checkpoints"
        if not folder.is_dir():
            raise StageError(f"{folder}: absent; a plug-in with `resumable = true` is given one")
        return folder

    def _given(self, parameter: str) -> Path | None:
        value = self.job.text(parameter)
        if value in {"", "none"}:
            return None
        return self.inputs / "files" / Path(value.partition("#sha256=")[0]).name


StageFunction = Callable[[Stage], None]


def main(
    *,
    train: StageFunction | None = None,
    fit: StageFunction | None = None,
    generate: StageFunction | None = None,
    features: StageFunction | None = None,
    embed: StageFunction | None = None,
    postprocess: StageFunction | None = None,
) -> None:
    """Runs the stage that the command line names and ends the process."""
    given = {"train": train, "fit": fit, "generate": generate, "features": features, "embed": embed}
    given["postprocess"] = postprocess
    sys.exit(_run({name: f for name, f in given.items() if f is not None}, sys.argv[1:]))


def progress(done: int, total: int) -> None:
    """Moves the progress display of whoever watches the stage."""
    _to_log(f"tonegap-progress {done} {total}")


def tell_device(text: str) -> None:
    """Tells whoever watches the stage which GPU it computes on; it stands in the record."""
    _to_log(f"tonegap-device {text}")


def gpu_peak_mib(torch: Any) -> int | None:
    """The most MiB of one GPU that tensors of this process filled at once; None where it used none.

    `torch`: the module of that name, None where nobody imported it.
    """
    if torch is None or not torch.cuda.is_initialized():
        return None
    peaks = [torch.cuda.max_memory_allocated(k) for k in range(torch.cuda.device_count())]
    return -(-max(peaks) // 2**20) if any(peaks) else None


def say(text: str) -> None:
    """A line for the stage's log, at once: a stage that is killed should have told what it did."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _run(stages: Mapping[str, StageFunction], argv: list[str]) -> int:
    parser = argparse.ArgumentParser(description="A stage of a tonegap plug-in.")
    parser.add_argument("stage", choices=sorted(stages))
    parser.add_argument("--in", dest="inputs", type=Path, required=True, metavar="DIR")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR")
    parser.add_argument("--share", default="", help=argparse.SUPPRESS)
    asked = parser.parse_args(argv)
    try:
        job = read_job(asked.inputs / "job.json")
        if job.stage != asked.stage:
            raise StageError(f"job.json: stage is {job.stage!r}, but {asked.stage!r} was started")
        gpus = visible_devices() if job.device == "cuda" and job.stage == "generate" else []
        if len(gpus) > 1 and not asked.share:
            return spread([sys.executable, *sys.orig_argv[1:]], asked.out, gpus)
        share = BatchShare(*map(int, asked.share.split("/"))) if asked.share else BatchShare()
        stages[asked.stage](Stage(job, asked.inputs, asked.out, share))
        if (peak := gpu_peak_mib(sys.modules.get("torch"))) is not None:
            _to_log(f"tonegap-gpu-memory {peak}")
    except StageError as problem:
        _to_log(f"error: {problem}")
        return 1
    except MemoryError:
        _to_log("error: out of memory")
        return 1
    except RuntimeError as problem:
        if not is_out_of_memory(problem):
            raise
        _to_log(f"error: out of memory: {str(problem).splitlines()[0]}")
        return 1
    return 0


def is_out_of_memory(problem: BaseException) -> bool:
    """Whether an error says that the memory of the machine or of a GPU is full."""
    # torch tells a full GPU by type and a full host by text only; torch may not even be imported.
    text = str(problem)
    return "out of memory" in text or "can't allocate memory" in text


def _to_log(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
