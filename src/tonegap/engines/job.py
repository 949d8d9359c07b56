"""A stage on a node of a cluster: the same engine, limits and watch as anywhere; leaves how it ended.

The mistake it exists to prevent: a queue's word for a result. What a stage left counts, and only `KEY.ended` says how
it ended.
"""

import os
import platform
import signal
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import msgspec

from tonegap.declared.plugin import FOLDERS, read_plugin
from tonegap.declared.suite import Limits
from tonegap.engines import open_engine
from tonegap.engines.base import Engine, RunResult, RunSpec, ToldOfGpus
from tonegap.engines.gpus import identities
from tonegap.errors import BadRequest, EngineError, ToneGapError
from tonegap.files import folder_digest, write_pieces_atomic
from tonegap.formats.record import Isolation
from tonegap.formats.stage_job import EndedJob, JobArray, StageJob, read_job

_TERM_S = 1.0
ARRAY = "array.json"
BEGUN, ENDED = ".begun", ".ended"  # of a stage, in place of .json


def run_jobs(paths: Sequence[Path]) -> None:
    """Runs the stages of these files in turn and writes beside each how it ended; what has ended is left alone.

    TERM ends the one at work and leaves the others. Raises BadRequest for a file that is none.
    """
    cancelled = threading.Event()
    signal.signal(signal.SIGTERM, lambda _number, _frame: cancelled.set())
    for path in paths:
        if cancelled.is_set():
            return
        if path.with_suffix(ENDED).exists():
            continue
        job = read_job(path)
        path.with_suffix(BEGUN).touch()
        # Without the folder: where a crash takes the name away, the stage counts as lost and runs again.
        write_pieces_atomic(path.with_suffix(ENDED), (msgspec.json.encode(_run(job, cancelled)),))


def task_of(folder: Path, index: str) -> list[Path]:
    """The files of the stages that a task of an array runs. Raises BadRequest where there is no such task."""
    try:
        array = msgspec.json.decode((folder / ARRAY).read_bytes(), type=JobArray)
        if not index.isdecimal():
            raise ValueError("wanted a number from 0 on")
        return [folder / f"{key}.json" for key in array.tasks[int(index)]]
    except (OSError, msgspec.DecodeError, ValueError, IndexError) as e:
        raise BadRequest(f"{folder}: no task {index!r} of an array: {e}") from None


def _run(job: StageJob, cancelled: threading.Event) -> EndedJob:
    said = ToldOfGpus()
    limits = Limits(job.timeout_s, job.memory_mib, job.output_mib)
    nothing = Isolation(job.engine, False, "", "", {})
    try:
        engine = open_engine(job.engine, Path(job.root))
        result = _checked(engine, job, limits, cancelled, said)
        isolation = nothing if result.cause == "engine-error" else engine.isolation(limits)
    except (ToneGapError, OSError) as e:
        result, isolation = RunResult.not_run(str(e)), nothing
    # Slurm sends TERM to the stage's own processes, too, and maybe first; why it did the queue knows.
    if result.cause == "killed":
        cancelled.wait(_TERM_S)
    if result.cause != "ok" and cancelled.is_set():
        result = replace(result, cause="cancelled")
    if result.cause == "engine-error":
        result = replace(result, text=f"on node {platform.node()}: {result.text}")
    how = (result.cause, result.text, result.seconds, result.cpu_seconds, result.peak_memory_mib)
    return EndedJob(*how, isolation, said.device, platform.node(), said.memory_mib)


def _checked(
    engine: Engine, job: StageJob, limits: Limits, cancelled: threading.Event, said: ToldOfGpus
) -> RunResult:
    """How the stage ended. Raises EngineError where it would not be the stage that was planned."""
    kinds = {folder: kind for kind, folder in FOLDERS.items()}
    folder, name = job.plugin.split("/")
    if folder not in kinds:
        raise EngineError(f"{job.plugin}: no plug-in; wanted a name below {', '.join(kinds)}")
    plugin = read_plugin(Path(job.root), kinds[folder], name)
    if folder_digest(plugin.folder) != job.plugin_sha256:
        raise EngineError(f"{plugin.label}: changed since the stage was planned; run again")
    if engine.environment(plugin).digest != job.environment:
        raise EngineError(
            "has other packages than the machine where the stage was planned; tonegap has to be the same there"
        )
    work = Path(job.work)
    spec = RunSpec(
        plugin=plugin,
        stage=job.stage,
        in_dir=work / "in",
        out_dir=work / "out",
        tmp_dir=work / "tmp",
        log=work / "log.txt",
        limits=limits,
        threads=job.threads,
        cancelled=cancelled,
        gpus=_gpus(job.gpus) if job.device == "cuda" else (),
        on_device=said.take_device,
        on_gpu_memory=said.take_memory,
        numerics=job.numerics,
    )
    return engine.run(spec)


def _gpus(n: int) -> tuple[str, ...]:
    """`n` GPUs that Slurm gave this job: by identity where the driver tells it, as CUDA may count from 0 in a job.

    Raises EngineError where it gave fewer.
    """
    words = os.environ.get("SLURM_JOB_GPUS") or os.environ.get("CUDA_VISIBLE_DEVICES") or ""
    given = [word for word in words.split(",") if word]
    if len(given) < n:
        found = f"{len(given)} of {n} GPUs" if given else "no GPU"
        raise EngineError(f"Slurm gave the job {found}; say in slurm.toml how to ask for it (gpu)")
    names = {index: identity for identity, index in identities().items()}
    return tuple(names.get(one, one) for one in given[:n])
